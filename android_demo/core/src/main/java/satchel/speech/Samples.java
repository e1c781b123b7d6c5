package satchel.speech;

import java.util.Arrays;
import satchel.SatchelException;

/** Samples that come one after the other. */
final class Samples {
    private float[] values;
    private int count;

    /** Room for as many as are expected. */
    Samples(long expected) {
        values = room((int) Math.min(Math.max(expected, 16), Integer.MAX_VALUE - 8));
    }

    void add(float value) {
        if (count == values.length) {
            grow(count + 1L);
        }
        values[count++] = value;
    }

    void add(float[] block, int size) {
        if (size > values.length - count) {
            grow((long) count + size);
        }
        System.arraycopy(block, 0, values, count, size);
        count += size;
    }

    private void grow(long least) {
        long size = Math.max(least, count + (count >> 1));
        if (least > Integer.MAX_VALUE - 8) {
            throw tooLong();
        }
        float[] longer = room((int) Math.min(size, Integer.MAX_VALUE - 8));
        System.arraycopy(values, 0, longer, 0, count);
        values = longer;
    }

    private static float[] room(int size) {
        try {
            return new float[size];
        } catch (OutOfMemoryError error) {
            throw tooLong();
        }
    }

    private static SatchelException tooLong() {
        return SatchelException.limit("no memory for so long a sound: split it", "OUT_OF_MEMORY");
    }

    /** All of them. Throws USAGE where there are none. */
    float[] all() {
        if (count == 0) {
            throw SatchelException.usage("the sound has no samples");
        }
        return count == values.length ? values : Arrays.copyOf(values, count);
    }
}
