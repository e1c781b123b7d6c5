package satchel.speech;

import java.util.Arrays;

/**
 * The discrete Fourier transform of real numbers, of any even length: a complex one of half the length by its prime
 * factors (Cooley and Tukey, 1965). Not safe to use from several threads.
 */
final class RealTransform {
    private final int half;
    private final int[] factors;
    private final int[] order; // of the complex numbers, before they are combined
    private final double[] cosines; // of -2 pi k / half
    private final double[] sines;
    private final double[] fineCosines; // of -2 pi k / size
    private final double[] fineSines;
    private final double[] real;
    private final double[] imaginary;
    private final double[] sumReal;
    private final double[] sumImaginary;

    RealTransform(int size) {
        this.half = size / 2;
        this.factors = factors(half);
        cosines = turned(half, half, 0);
        sines = turned(half, half, 1);
        fineCosines = turned(half + 1, size, 0);
        fineSines = turned(half + 1, size, 1);
        order = new int[half];
        place(0, 1, 0, half, 0);
        real = new double[half];
        imaginary = new double[half];
        int largest = 1;
        for (int factor : factors) {
            largest = Math.max(largest, factor);
        }
        sumReal = new double[largest];
        sumImaginary = new double[largest];
    }

    private static int[] factors(int number) {
        int[] found = new int[32];
        int count = 0;
        int left = number;
        for (int factor = 4; left > 1; ) {
            if (left % factor == 0) {
                found[count++] = factor;
                left /= factor;
            } else {
                factor = factor == 4 ? 2 : factor == 2 ? 3 : factor + 2;
            }
        }
        return Arrays.copyOf(found, count);
    }

    private static double[] turned(int count, int whole, int part) {
        double[] values = new double[count];
        for (int k = 0; k < count; ++k) {
            double angle = -2 * Math.PI * k / whole;
            values[k] = part == 0 ? Math.cos(angle) : Math.sin(angle);
        }
        return values;
    }

    /** The energies of {@code samples} at the frequencies from 0 to half the sampling rate, size / 2 + 1 of them. */
    void energies(double[] samples, double[] energies) {
        for (int i = 0; i < half; ++i) {
            real[i] = samples[2 * order[i]];
            imaginary[i] = samples[2 * order[i] + 1];
        }
        combine(0, half, 0, 1);
        // Even and odd samples went through it as real and imaginary parts.
        for (int k = 0; k <= half; ++k) {
            int a = k % half;
            int b = (half - k) % half;
            double evenReal = 0.5 * (real[a] + real[b]);
            double evenImaginary = 0.5 * (imaginary[a] - imaginary[b]);
            double oddReal = 0.5 * (imaginary[a] + imaginary[b]);
            double oddImaginary = -0.5 * (real[a] - real[b]);
            double x = evenReal + oddReal * fineCosines[k] - oddImaginary * fineSines[k];
            double y = evenImaginary + oddReal * fineSines[k] + oddImaginary * fineCosines[k];
            energies[k] = x * x + y * y;
        }
    }

    /** Writes the places from {@code from} on, {@code step} apart, in the order in which they are combined. */
    private void place(int from, int step, int at, int length, int level) {
        if (length == 1) {
            order[at] = from;
            return;
        }
        int factor = factors[level];
        int part = length / factor;
        for (int i = 0; i < factor; ++i) {
            place(from + i * step, step * factor, at + i * part, part, level + 1);
        }
    }

    /** Transforms {@code length} numbers from {@code at} on, whose parts are each transformed first. */
    private void combine(int at, int length, int level, int step) {
        if (length == 1) {
            return;
        }
        int factor = factors[level];
        int part = length / factor;
        for (int i = 0; i < factor; ++i) {
            combine(at + i * part, part, level + 1, step * factor);
        }
        for (int k = 0; k < part; ++k) {
            if (factor == 4) {
                four(at + k, part, k * step);
            } else {
                any(at + k, part, factor, k, step);
            }
        }
    }

    private void four(int at, int part, int turn) {
        double x0 = real[at];
        double y0 = imaginary[at];
        int place = at + part;
        double x1 = real[place] * cosines[turn] - imaginary[place] * sines[turn];
        double y1 = real[place] * sines[turn] + imaginary[place] * cosines[turn];
        place += part;
        double x2 = real[place] * cosines[2 * turn] - imaginary[place] * sines[2 * turn];
        double y2 = real[place] * sines[2 * turn] + imaginary[place] * cosines[2 * turn];
        place += part;
        double x3 = real[place] * cosines[3 * turn] - imaginary[place] * sines[3 * turn];
        double y3 = real[place] * sines[3 * turn] + imaginary[place] * cosines[3 * turn];
        real[at] = x0 + x2 + (x1 + x3);
        imaginary[at] = y0 + y2 + (y1 + y3);
        real[at + part] = x0 - x2 + (y1 - y3);
        imaginary[at + part] = y0 - y2 - (x1 - x3);
        real[at + 2 * part] = x0 + x2 - (x1 + x3);
        imaginary[at + 2 * part] = y0 + y2 - (y1 + y3);
        real[at + 3 * part] = x0 - x2 - (y1 - y3);
        imaginary[at + 3 * part] = y0 - y2 + (x1 - x3);
    }

    private void any(int at, int part, int factor, int k, int step) {
        for (int j = 0; j < factor; ++j) {
            double x = 0;
            double y = 0;
            int by = (k + j * part) * step;
            int turn = 0;
            for (int i = 0; i < factor; ++i) {
                int place = at + i * part;
                x += real[place] * cosines[turn] - imaginary[place] * sines[turn];
                y += real[place] * sines[turn] + imaginary[place] * cosines[turn];
                turn += by;
                turn -= turn < half ? 0 : half;
            }
            sumReal[j] = x;
            sumImaginary[j] = y;
        }
        for (int j = 0; j < factor; ++j) {
            real[at + j * part] = sumReal[j];
            imaginary[at + j * part] = sumImaginary[j];
        }
    }
}
