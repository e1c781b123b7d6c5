package satchel.generate;

/**
 * Sums, exponentials and maxima as numpy has them, in the type of the numbers.
 *
 * <p>A sum adds pairs of halves, in eight parts where it is short, so that it is equal to numpy's in every bit.
 * Exponentials and logarithms of floats are rounded from doubles; numpy's own differ from them in the last bit or
 * two, and from one processor to another. Such a bit can change an id only where two scores of different beams, or a
 * bound and what it bounds, are as near as that: equal scores are equal here as there.
 */
final class Sums {
    private static final int BLOCK = 128; // numbers at most that are added in eight parts
    private static final int PARTS = 8;
    private static final float LEAST = -104f; // whose exponential is 0 as a float

    private Sums() {}

    static double of(double[] numbers, int from, int count) {
        if (count < PARTS) {
            double sum = 0;
            for (int i = from; i < from + count; ++i) {
                sum += numbers[i];
            }
            return sum;
        }
        if (count > BLOCK) {
            int half = count / 2;
            half -= half % PARTS;
            return of(numbers, from, half) + of(numbers, from + half, count - half);
        }
        double a = numbers[from];
        double b = numbers[from + 1];
        double c = numbers[from + 2];
        double d = numbers[from + 3];
        double e = numbers[from + 4];
        double f = numbers[from + 5];
        double g = numbers[from + 6];
        double h = numbers[from + 7];
        int end = from + count - count % PARTS;
        int i = from + PARTS;
        for (; i < end; i += PARTS) {
            a += numbers[i];
            b += numbers[i + 1];
            c += numbers[i + 2];
            d += numbers[i + 3];
            e += numbers[i + 4];
            f += numbers[i + 5];
            g += numbers[i + 6];
            h += numbers[i + 7];
        }
        double sum = ((a + b) + (c + d)) + ((e + f) + (g + h));
        for (; i < from + count; ++i) {
            sum += numbers[i];
        }
        return sum;
    }

    static float of(float[] numbers, int from, int count) {
        if (count < PARTS) {
            float sum = 0;
            for (int i = from; i < from + count; ++i) {
                sum += numbers[i];
            }
            return sum;
        }
        if (count > BLOCK) {
            int half = count / 2;
            half -= half % PARTS;
            return of(numbers, from, half) + of(numbers, from + half, count - half);
        }
        float a = numbers[from];
        float b = numbers[from + 1];
        float c = numbers[from + 2];
        float d = numbers[from + 3];
        float e = numbers[from + 4];
        float f = numbers[from + 5];
        float g = numbers[from + 6];
        float h = numbers[from + 7];
        int end = from + count - count % PARTS;
        int i = from + PARTS;
        for (; i < end; i += PARTS) {
            a += numbers[i];
            b += numbers[i + 1];
            c += numbers[i + 2];
            d += numbers[i + 3];
            e += numbers[i + 4];
            f += numbers[i + 5];
            g += numbers[i + 6];
            h += numbers[i + 7];
        }
        float sum = ((a + b) + (c + d)) + ((e + f) + (g + h));
        for (; i < from + count; ++i) {
            sum += numbers[i];
        }
        return sum;
    }

    /** The first place, from 0, of the highest number; one that is no number is the highest. */
    static int highest(float[] numbers, int from, int count) {
        int place = from;
        float best = numbers[from];
        for (int i = from; i < from + count; ++i) {
            float number = numbers[i];
            if (!(number <= best)) {
                if (number != number || best != best) {
                    return firstWrong(numbers, from, count);
                }
                best = number;
                place = i;
            }
        }
        return place - from;
    }

    private static int firstWrong(float[] numbers, int from, int count) {
        int i = from;
        while (i < from + count - 1 && numbers[i] == numbers[i]) {
            ++i;
        }
        return i - from;
    }

    static float exp(float x) {
        return x < LEAST ? 0 : (float) Math.exp(x);
    }

    static float log(float x) {
        return (float) Math.log(x);
    }

    static boolean isFinite(float x) {
        return x - x == 0;
    }
}
