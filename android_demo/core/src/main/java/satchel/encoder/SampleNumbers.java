package satchel.encoder;

import java.math.BigInteger;
import satchel.generate.NumpyRandom;

/**
 * The random numbers that numpy's {@code default_rng(0)} gives, for the samples that checks and timings are made
 * with; normal ones by the ziggurat of Marsaglia and Tsang (2000).
 */
public final class SampleNumbers {
    private static final long LOWER_HALF = 0xffffffffL;

    private final NumpyRandom random = new NumpyRandom(BigInteger.ZERO);
    private boolean hasHalf; // of 64 bits, the upper 32
    private long half;

    /** 32 random bits. */
    private long nextHalf() {
        if (hasHalf) {
            hasHalf = false;
            return half;
        }
        long bits = random.nextLong();
        hasHalf = true;
        half = bits >>> 32;
        return bits & LOWER_HALF;
    }

    /** {@code integers(0, 256, count, uint8)}. */
    public int[] bytes(int count) {
        int[] bytes = new int[count];
        long bits = 0;
        for (int i = 0; i < count; ++i) {
            bits = i % 4 == 0 ? nextHalf() : bits >>> 8;
            bytes[i] = (int) (bits & 0xff);
        }
        return bytes;
    }

    /** {@code integers(0, bound, count)}. */
    public int[] below(int bound, int count) {
        int[] numbers = new int[count];
        long threshold = (1L << 32) % bound;
        for (int i = 0; i < count; ++i) {
            long product;
            do {
                product = nextHalf() * bound;
            } while ((product & LOWER_HALF) < threshold);
            numbers[i] = (int) (product >>> 32);
        }
        return numbers;
    }

    /** {@code uniform(from, to)}. */
    public double uniform(double from, double to) {
        return from + (to - from) * random.nextDouble();
    }

    /** {@code standard_normal()}. */
    public double normal() {
        while (true) {
            long bits = random.nextLong();
            int layer = (int) (bits & 0xff);
            long size = bits >>> 9 & 0x000fffffffffffffL;
            double x = size * Ziggurat.WIDTHS[layer];
            if ((bits >>> 8 & 1) == 1) {
                x = -x;
            }
            if (size < Ziggurat.INSIDE[layer]) {
                return x;
            }
            if (layer == 0) {
                return tail((size >>> 8 & 1) == 1);
            }
            double least = Ziggurat.HEIGHTS[layer];
            if ((Ziggurat.HEIGHTS[layer - 1] - least) * random.nextDouble() + least < Math.exp(-0.5 * x * x)) {
                return x;
            }
        }
    }

    private double tail(boolean negative) {
        while (true) {
            double beyond = -Ziggurat.INVERSE * Math.log1p(-random.nextDouble());
            double height = -Math.log1p(-random.nextDouble());
            if (height + height > beyond * beyond) {
                return negative ? -(Ziggurat.LAST + beyond) : Ziggurat.LAST + beyond;
            }
        }
    }

    /** 256 layers of equal area under a normal curve. */
    private static final class Ziggurat {
        static final double LAST = 3.6541528853610088; // where the tail begins
        static final double INVERSE = 0.27366123732975827;
        private static final double AREA = 0.00492867323397465524494;
        private static final double STEPS = 1L << 52;
        static final double[] WIDTHS = new double[256];
        static final double[] HEIGHTS = new double[256];
        static final long[] INSIDE = new long[256];

        static {
            double x = LAST;
            HEIGHTS[255] = Math.exp(-0.5 * x * x);
            WIDTHS[255] = x / STEPS;
            INSIDE[0] = (long) (x * HEIGHTS[255] / AREA * STEPS);
            WIDTHS[0] = AREA / HEIGHTS[255] / STEPS;
            HEIGHTS[0] = 1;
            for (int layer = 254; layer > 0; --layer) {
                double next = Math.sqrt(-2 * Math.log(AREA / x + HEIGHTS[layer + 1]));
                INSIDE[layer + 1] = (long) (next / x * STEPS);
                WIDTHS[layer] = next / STEPS;
                HEIGHTS[layer] = Math.exp(-0.5 * next * next);
                x = next;
            }
            INSIDE[1] = 0;
        }
    }
}
