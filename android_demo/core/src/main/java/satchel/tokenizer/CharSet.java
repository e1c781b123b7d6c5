package satchel.tokenizer;

import java.util.Arrays;

/** The characters that a class of a regular expression matches. */
final class CharSet {
    private int[] ranges = new int[8]; // first and last, as they come until the set is closed
    private int count;
    private int categories; // a bit for each general category
    private boolean words; // all that letters, digits and underscores are for patterns
    private CharSet[] parts = new CharSet[0];
    private CharSet both; // where not null, what must be in it too
    private boolean negated;
    private boolean folds;
    private long low;
    private long high;

    void add(int first, int last) {
        if (count == ranges.length) {
            ranges = Arrays.copyOf(ranges, 2 * count);
        }
        ranges[count++] = first;
        ranges[count++] = last;
    }

    void addCategories(int mask) {
        categories |= mask;
    }

    void addWords() {
        words = true;
    }

    void addPart(CharSet part) {
        parts = Arrays.copyOf(parts, parts.length + 1);
        parts[parts.length - 1] = part;
    }

    boolean isEmpty() {
        return count == 0 && categories == 0 && parts.length == 0 && !words;
    }

    /** Whether all that it names are ASCII or of categories that hold small and capital letters alike. */
    boolean isPlain() {
        for (int i = 1; i < count; i += 2) {
            if (ranges[i] > 127) {
                return false;
            }
        }
        int cased = 1 << Character.UPPERCASE_LETTER | 1 << Character.LOWERCASE_LETTER | 1 << Character.TITLECASE_LETTER;
        boolean plain = (categories & cased) == 0 || (categories & cased) == cased;
        for (CharSet part : parts) {
            plain &= part.isPlain();
        }
        return plain && (both == null || both.isPlain());
    }

    /** Closes the set. */
    CharSet closed(boolean inverse, boolean ignoresCase, CharSet other) {
        negated = inverse;
        folds = ignoresCase;
        both = other;
        sort();
        for (int c = 0; c < 64; ++c) {
            low |= slow(c) ? 1L << c : 0;
            high |= slow(c + 64) ? 1L << c : 0;
        }
        return this;
    }

    private void sort() {
        int pairs = count / 2;
        long[] keys = new long[pairs];
        for (int i = 0; i < pairs; ++i) {
            keys[i] = (long) ranges[2 * i] << 32 | ranges[2 * i + 1];
        }
        Arrays.sort(keys);
        int to = 0;
        int[] sorted = new int[count];
        for (long key : keys) {
            int first = (int) (key >>> 32);
            int last = (int) key;
            if (to > 0 && first <= sorted[to - 1] + 1) {
                sorted[to - 1] = Math.max(sorted[to - 1], last);
            } else {
                sorted[to++] = first;
                sorted[to++] = last;
            }
        }
        ranges = Arrays.copyOf(sorted, to);
        count = to;
    }

    boolean has(int c) {
        if (c < 64) {
            return (low >>> c & 1) != 0;
        }
        return c < 128 ? (high >>> c & 1) != 0 : slow(c);
    }

    private boolean slow(int c) {
        boolean found = holds(c);
        if (!found && folds) {
            int small = c == 0x17F ? 's' : c == 0x212A ? 'k' : c; // the long s and the kelvin sign
            if (small < 128 && Character.isLetter(small)) {
                found = holds(Character.toLowerCase(small)) || holds(Character.toUpperCase(small));
            }
        }
        return (found && (both == null || both.has(c))) != negated;
    }

    private boolean holds(int c) {
        if (categories != 0 && (categories >>> Letters.category(c) & 1) != 0) {
            return true;
        }
        if (count > 0 && inRanges(c)) {
            return true;
        }
        if (words && Letters.isPatternWord(c)) {
            return true;
        }
        for (CharSet part : parts) {
            if (part.has(c)) {
                return true;
            }
        }
        return false;
    }

    private boolean inRanges(int c) {
        int a = 0;
        int b = count / 2 - 1;
        while (a <= b) {
            int middle = (a + b) >>> 1;
            if (c < ranges[2 * middle]) {
                b = middle - 1;
            } else if (c > ranges[2 * middle + 1]) {
                a = middle + 1;
            } else {
                return true;
            }
        }
        return false;
    }
}
