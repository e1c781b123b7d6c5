package satchel.tokenizer;

import java.util.Arrays;

/** The tokens of one word: ids, and what characters of the word they are. */
final class Tokens {
    int[] ids = new int[16];
    int[] starts = new int[16];
    int[] ends = new int[16];
    int size;

    void clear() {
        size = 0;
    }

    void add(int id, int start, int end) {
        if (size == ids.length) {
            ids = Arrays.copyOf(ids, 2 * size);
            starts = Arrays.copyOf(starts, 2 * size);
            ends = Arrays.copyOf(ends, 2 * size);
        }
        ids[size] = id;
        starts[size] = start;
        ends[size++] = end;
    }
}
