package satchel.json;

import static org.junit.Assert.assertEquals;

import org.junit.Test;

/** The expected texts are Python's. */
public class NumbersTest {
    @Test
    public void fixed() {
        assertEquals("0.1235", Numbers.fixed(0.12345678, 4));
        assertEquals("0.1250", Numbers.fixed(0.125, 4));
        assertEquals("0.12", Numbers.fixed(0.125, 2)); // half to even, of the exact number
        assertEquals("2.67", Numbers.fixed(2.675, 2));
        assertEquals("-0.0000", Numbers.fixed(-1e-9, 4));
        assertEquals("0", Numbers.fixed(0.4, 0));
        assertEquals("nan", Numbers.fixed(Double.NaN, 2));
    }

    @Test
    public void general() {
        assertEquals("0.0123", Numbers.general(0.0123, 4));
        assertEquals("1.5e-07", Numbers.general(1.5e-7, 4));
        assertEquals("1.235e+06", Numbers.general(1234567, 4));
        assertEquals("1235", Numbers.general(1234.6, 4));
        assertEquals("12", Numbers.general(12.0, 3));
        assertEquals("1e-05", Numbers.general(0.00001, 3));
        assertEquals("0.0001", Numbers.general(0.0001, 3));
        assertEquals("1e+03", Numbers.general(999.9, 3));
        assertEquals("0", Numbers.general(0, 3));
        assertEquals("inf", Numbers.general(Double.POSITIVE_INFINITY, 3));
    }

    @Test
    public void shortest() {
        assertEquals("0.1", Numbers.shortest(0.1));
        assertEquals("0.30000000000000004", Numbers.shortest(0.1 + 0.2));
        assertEquals("1.0", Numbers.shortest(1));
        assertEquals("-0.0", Numbers.shortest(-0.0));
        assertEquals("100000.0", Numbers.shortest(1e5));
        assertEquals("1e+16", Numbers.shortest(1e16));
        assertEquals("1e-05", Numbers.shortest(1e-5));
        assertEquals("2e+23", Numbers.shortest(2e23));
        assertEquals("5e-324", Numbers.shortest(Double.MIN_VALUE));
        assertEquals("1.7976931348623157e+308", Numbers.shortest(Double.MAX_VALUE));
        assertEquals("-2.4189751148223877", Numbers.shortest(-2.4189751148223877f));
    }

    @Test
    public void others() {
        assertEquals("1,234,567", Numbers.grouped(1234567));
        assertEquals("999", Numbers.grouped(999));
        assertEquals("0.123457", Numbers.shortest(Numbers.rounded(0.1234567, 6)));
    }
}
