package satchel.encoder;

import java.util.Arrays;

/**
 * A set of code points, so that it is the same on every Java, whose own tables differ by version. Written as numbers
 * to the base 36: in turn how many points are outside and how many inside, from 0 on.
 */
final class Ranges {
    private static final int BASE = 36;

    /** Where ranges begin and end in turn. */
    private final int[] bounds;

    Ranges(String written) {
        String[] numbers = written.split(" ");
        bounds = new int[numbers.length];
        int at = 0;
        for (int i = 0; i < numbers.length; ++i) {
            at += Integer.parseInt(numbers[i], BASE);
            bounds[i] = at;
        }
    }

    boolean has(int point) {
        int place = Arrays.binarySearch(bounds, point);
        // Behind an even number of bounds is outside.
        return (place >= 0 ? place + 1 : -place - 1) % 2 == 1;
    }
}
