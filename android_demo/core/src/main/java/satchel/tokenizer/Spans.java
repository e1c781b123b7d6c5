package satchel.tokenizer;

import java.util.Arrays;

/** A text cut at the matches of a pattern: neighbouring spans that cover it, and whether each is a match. */
final class Spans {
    int[] starts = new int[16];
    int[] ends = new int[16];
    boolean[] matches = new boolean[16];
    int size;

    void add(int start, int end, boolean match) {
        if (size == starts.length) {
            starts = Arrays.copyOf(starts, 2 * size);
            ends = Arrays.copyOf(ends, 2 * size);
            matches = Arrays.copyOf(matches, 2 * size);
        }
        starts[size] = start;
        ends[size] = end;
        matches[size++] = match;
    }
}
