package satchel.tokenizer;

import java.util.Arrays;

/**
 * New characters for a text and how each came about: 0 for one that takes the place of the next old one, -n for one
 * that takes the place of the next old one and swallows n more behind it, 1 for one that is inserted.
 */
final class Change {
    int[] chars;
    int[] kinds;
    int size;

    Change(int capacity) {
        chars = new int[Math.max(capacity, 4)];
        kinds = new int[chars.length];
    }

    void add(int c, int kind) {
        if (size == chars.length) {
            chars = Arrays.copyOf(chars, 2 * size);
            kinds = Arrays.copyOf(kinds, 2 * size);
        }
        chars[size] = c;
        kinds[size++] = kind;
    }
}
