package satchel.speech;

import satchel.SatchelException;

/**
 * Samples at another rate, block by block: a low-pass filter under a Kaiser window, worked out for every place that
 * a new sample can have between two old ones. What is below 0.913 of the lower rate's half passes, what is above that
 * half is 126 dB down: the numbers of the filter that the Python runtime uses.
 */
final class Resampler {
    private static final double PASS = 0.913; // of half the lower rate
    private static final double REJECTED = 126; // dB
    private static final double BETA = 0.1102 * (REJECTED - 8.7);
    private static final long MOST_WEIGHTS = 1 << 22;

    private final long up;
    private final long down;
    /** Old samples on either side of a new one. */
    private final int reach;
    private final double cutoff; // cycles per old sample
    private final double[][] phases;
    private final Samples out;
    private float[] old = new float[0];
    private int kept;
    private long firstKept; // its place in the sound, from -reach on, where there is silence
    private long heard;
    private long made;

    /** Throws USAGE for two rates that go together too badly. */
    Resampler(int from, int to, Samples out) {
        int common = divisor(from, to);
        this.up = to / common;
        this.down = from / common;
        this.out = out;
        double lower = Math.min(1, (double) to / from);
        double transition = (1 - PASS) * lower / 2;
        cutoff = (1 + PASS) / 2 * lower / 2;
        reach = (int) Math.ceil((REJECTED - 7.95) / (2.285 * 2 * Math.PI * transition) / 2);
        if (up * 2 * reach > MOST_WEIGHTS) {
            throw SatchelException.usage("the sound has " + from + " samples per second; resample it to " + to);
        }
        phases = new double[(int) up][];
        kept = reach; // silence
        old = new float[reach];
        firstKept = -reach;
    }

    private static int divisor(int a, int b) {
        return b == 0 ? a : divisor(b, a % b);
    }

    /** Takes the first {@code count} samples of a block. */
    void add(float[] block, int count) {
        take(block, count);
        heard += count;
        make(Long.MAX_VALUE);
    }

    /** Ends the sound. */
    void finish() {
        take(new float[reach + 1], reach + 1);
        make((2 * heard * up + down) / (2 * down));
    }

    private void take(float[] block, int count) {
        // What lies before the reach of the next sample is done with.
        int done = (int) Math.min(kept, Math.max(0, made * down / up - reach + 1 - firstKept));
        float[] longer = new float[kept - done + count];
        System.arraycopy(old, done, longer, 0, kept - done);
        System.arraycopy(block, 0, longer, kept - done, count);
        old = longer;
        kept = longer.length;
        firstKept += done;
    }

    /** Makes the new samples that lie in what is kept, up to so many of the whole sound. */
    private void make(long most) {
        while (made < most) {
            long place = made * down / up;
            if (place + reach >= firstKept + kept) {
                return;
            }
            double[] weights = weights((int) (made * down % up));
            int from = (int) (place - reach + 1 - firstKept);
            // Even and odd ones apart, since a sum waits for the one before it.
            double even = 0;
            double odd = 0;
            for (int i = 0; i < weights.length; i += 2) {
                even += old[from + i] * weights[i];
                odd += old[from + i + 1] * weights[i + 1];
            }
            out.add((float) (even + odd));
            ++made;
        }
    }

    private double[] weights(int phase) {
        if (phases[phase] != null) {
            return phases[phase];
        }
        double[] weights = new double[2 * reach];
        double sum = 0;
        for (int i = 0; i < weights.length; ++i) {
            double distance = i - reach + 1 - (double) phase / up;
            double angle = 2 * Math.PI * cutoff * distance;
            double sinc = angle == 0 ? 1 : Math.sin(angle) / angle;
            double within = distance / reach;
            weights[i] = sinc * bessel(BETA * Math.sqrt(Math.max(0, 1 - within * within)));
            sum += weights[i];
        }
        for (int i = 0; i < weights.length; ++i) {
            weights[i] /= sum;
        }
        phases[phase] = weights;
        return weights;
    }

    /** The modified Bessel function of the first kind, of order 0. */
    private static double bessel(double x) {
        double sum = 1;
        double term = 1;
        for (int i = 1; term > sum * 1e-17; ++i) {
            term *= x / (2 * i) * (x / (2 * i));
            sum += term;
        }
        return sum;
    }
}
