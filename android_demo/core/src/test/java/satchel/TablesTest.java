package satchel;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import java.util.Arrays;
import org.junit.Test;

public class TablesTest {
    @Test
    public void figuresAreThoseOfPython() {
        double[] values = {
            0, -0.0, 1, 10, 999.4, 999.5, 1000, 123456, 0.1, 0.000123456, 0.0001, 0.00001, 0.172, 0.345, 0.000435,
            1.5e-7, 1e100, 2.5, 0.125, 0.0625, 1234.5, -3.14159, 1e22, 0.00043, 99.95
        };
        String[] expected = {
            "0", "-0", "1", "10", "999", "1e+03", "1e+03", "1.23e+05", "0.1", "0.000123", "0.0001", "1e-05", "0.172",
            "0.345", "0.000435", "1.5e-07", "1e+100", "2.5", "0.125", "0.0625", "1.23e+03", "-3.14", "1e+22",
            "0.00043", "100"
        };
        for (int i = 0; i < values.length; ++i) {
            assertEquals(expected[i], Tables.figure(values[i], 3));
        }
        assertEquals("nan", Tables.figure(Double.NaN, 3));
        assertEquals("-inf", Tables.figure(Double.NEGATIVE_INFINITY, 3));
    }

    @Test
    public void columnsAreAligned() {
        assertEquals(
                Arrays.asList("check   value", "a         0.5  ok", "longer      3"),
                Tables.lines(Arrays.asList(
                        new String[] {"check", "value", ""},
                        new String[] {"a", "0.5", "ok"},
                        new String[] {"longer", "3", ""})));
    }

    @Test
    public void distances() {
        SampleAnswer answer = new SampleAnswer("x", new float[] {1, 2}, new float[] {1, -1}, 2);
        assertEquals(3, answer.distance, 0);
        answer = new SampleAnswer("x", new float[] {Float.NaN, 2}, new float[] {1, 2}, 2);
        assertTrue("what is no number is beyond any limit", !(answer.distance <= answer.limit));
    }
}
