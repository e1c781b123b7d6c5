package satchel.generate;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertNotEquals;
import static org.junit.Assert.assertTrue;

import java.math.BigInteger;
import org.junit.Test;

public final class NumpyRandomTest {
    @Test
    public void drawsAreThoseOfNumpy() {
        double[] expected = {0.7739560485559633, 0.4388784397520523, 0.8585979199113825, 0.6973680290593639};
        NumpyRandom random = new NumpyRandom(BigInteger.valueOf(42));
        for (double number : expected) {
            assertEquals(number, random.nextDouble(), 0);
        }
        assertEquals(0.6369616873214543, new NumpyRandom(BigInteger.ZERO).nextDouble(), 0);
    }

    @Test
    public void everyBitOfASeedCounts() {
        BigInteger large = BigInteger.ONE.shiftLeft(300);
        assertNotEquals(
                new NumpyRandom(large).nextLong(), new NumpyRandom(large.add(BigInteger.ONE)).nextLong());
        assertNotEquals(new NumpyRandom(large).nextLong(), new NumpyRandom(large.setBit(299)).nextLong());
    }

    @Test
    public void withoutASeedNoTwoAreAlike() {
        NumpyRandom random = new NumpyRandom(null);
        assertNotEquals(random.nextLong(), new NumpyRandom(null).nextLong());
        for (int i = 0; i < 1000; ++i) {
            double number = random.nextDouble();
            assertTrue(0 <= number && number < 1);
        }
    }
}
