package satchel.generate;

import java.util.Arrays;

/**
 * The highest of some numbers and their places, best first; of equal ones, those that come first. It is filled anew
 * again and again without new memory.
 */
final class Highest {
    // The order of a number in the upper half, so that the highest is the least, and its place in the lower.
    private long[] keys = new long[0];
    private int wanted;
    private int count;
    private float worst; // of those that are kept, once there are enough

    /** Begins anew with the best of which there are to be `wanted`. */
    void begin(int howMany) {
        wanted = howMany;
        count = 0;
        worst = Float.NEGATIVE_INFINITY;
        if (keys.length < howMany) {
            keys = new long[howMany];
        }
    }

    /** Looks at numbers, all shifted, whose places begin with `place`, behind all before; none is not a number. */
    void offer(float[] numbers, int from, int size, float shift, int place) {
        int i = 0;
        while (i < size && count < wanted) {
            keys[count++] = key(numbers[from + i] + shift, place + i);
            ++i;
            if (count == wanted) {
                for (int parent = wanted / 2 - 1; parent >= 0; --parent) {
                    sink(parent);
                }
                worst = value(keys[0]);
            }
        }
        for (; i < size; ++i) {
            float number = numbers[from + i] + shift;
            if (number > worst) {
                keys[0] = key(number, place + i);
                sink(0);
                worst = value(keys[0]);
            }
        }
    }

    /** Puts what was kept in its order; how many that is. */
    int sort() {
        Arrays.sort(keys, 0, count);
        return count;
    }

    float value(int rank) {
        return value(keys[rank]);
    }

    int place(int rank) {
        return (int) keys[rank];
    }

    private void sink(int from) {
        long key = keys[from];
        int parent = from;
        while (2 * parent + 1 < wanted) {
            int child = 2 * parent + 1;
            if (child + 1 < wanted && keys[child + 1] > keys[child]) {
                ++child;
            }
            if (keys[child] <= key) {
                break;
            }
            keys[parent] = keys[child];
            parent = child;
        }
        keys[parent] = key;
    }

    private static long key(float number, int place) {
        int bits = Float.floatToRawIntBits(0f - number); // 0 for both zeros
        return ((long) ordered(bits) << 32) | place;
    }

    private static float value(long key) {
        return 0f - Float.intBitsToFloat(ordered((int) (key >> 32)));
    }

    /** Bits that are ordered as the floats they belong to, and back. */
    private static int ordered(int bits) {
        return bits ^ ((bits >> 31) & 0x7fffffff);
    }
}
