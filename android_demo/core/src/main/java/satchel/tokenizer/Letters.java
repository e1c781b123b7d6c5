package satchel.tokenizer;

/**
 * What kind of character a code point is, as each step of a tokenizer sees it.
 *
 * <p>From tables of its own: platforms know different versions of Unicode, and steps of the library do too.
 */
final class Letters {
    private static final int PATTERN_WORD = 1;
    private static final int WORD = 2;
    private static final int NUMERIC = 4;
    private static final int PUNCTUATION = 8;
    private static final int CONTROL = 16;
    private static final int NONSPACING = 32;
    private static final int COMBINING = 64;

    private static final Runs SETS = new Runs(UnicodeTables.SETS);
    private static final char[] SMALL = small();
    private static final int SMALL_FIRST = 0x10400; // beyond the first plane capitals differ by these alone

    private Letters() {}

    /** White_Space of Unicode. */
    static boolean isSpace(int c) {
        if (c < 0x1680) {
            return c == ' ' || (c >= '\t' && c <= '\r') || c == 0x85 || c == 0xA0;
        }
        return c == 0x1680 || (c >= 0x2000 && c <= 0x200A) || c == 0x2028 || c == 0x2029 || c == 0x202F || c == 0x205F
                || c == 0x3000;
    }

    /** Letters, marks, decimal digits, connecting punctuation and joiners. */
    static boolean isWord(int c) {
        return (SETS.of(c) & WORD) != 0;
    }

    /** What `\w` of a pattern is, which has no joiners. */
    static boolean isPatternWord(int c) {
        return (SETS.of(c) & PATTERN_WORD) != 0;
    }

    /** Numbers of any kind. */
    static boolean isNumeric(int c) {
        return (SETS.of(c) & NUMERIC) != 0;
    }

    /** Punctuation, and every sign of ASCII that is no letter or digit. */
    static boolean isPunctuation(int c) {
        return (SETS.of(c) & PUNCTUATION) != 0;
    }

    /** What BERT drops: controls, formats and private use, but not what is unassigned. */
    static boolean isControl(int c) {
        return (SETS.of(c) & CONTROL) != 0;
    }

    /** Marks that take no room, as BERT knows them. */
    static boolean isNonspacingMark(int c) {
        return (SETS.of(c) & NONSPACING) != 0;
    }

    /** Marks of any kind, as StripAccents knows them. */
    static boolean isCombining(int c) {
        return (SETS.of(c) & COMBINING) != 0;
    }

    /** The general category, numbered as java.lang.Character does, as patterns see it. */
    static int category(int c) {
        return Held.CATEGORIES.of(c);
    }

    /** What patterns need alone. */
    private static final class Held {
        static final Runs CATEGORIES = new Runs(UnicodeTables.CATEGORIES);
    }

    /** The small letter of a letter alone, whatever stands beside it; the dotted capital I has two and is not for here. */
    static int lower(int c) {
        if (c < 128) {
            return c >= 'A' && c <= 'Z' ? c + 32 : c;
        }
        return c < 0x10000 ? SMALL[c] : c >= SMALL_FIRST ? Beyond.lower(c) : c;
    }

    private static char[] small() {
        char[] table = new char[0x10000];
        for (int c = 0; c < table.length; ++c) {
            table[c] = (char) c;
        }
        Runs.Reader reader = new Runs.Reader(UnicodeTables.LOWER);
        int first = 0;
        while (reader.more()) {
            first += reader.number();
            int count = reader.number();
            int step = reader.number();
            int shift = reader.number();
            shift = (shift & 1) == 0 ? shift >> 1 : -(shift >> 1);
            for (int i = 0; i < count && first < 0x10000; ++i) {
                table[first + i * step] = (char) (first + i * step + shift);
            }
        }
        return table;
    }

    /** The capitals of scripts beyond the first plane. */
    private static final class Beyond {
        private static final int[] GROUPS = groups(); // first, last, difference

        static int lower(int c) {
            for (int i = 0; i < GROUPS.length; i += 3) {
                if (c >= GROUPS[i] && c <= GROUPS[i + 1]) {
                    return c + GROUPS[i + 2];
                }
            }
            return c;
        }

        private static int[] groups() {
            int[] groups = new int[300];
            int size = 0;
            Runs.Reader reader = new Runs.Reader(UnicodeTables.LOWER);
            int first = 0;
            while (reader.more()) {
                first += reader.number();
                int count = reader.number();
                int step = reader.number();
                int shift = reader.number();
                if (first >= 0x10000) {
                    if (step != 1) {
                        throw new IllegalStateException("capitals apart beyond the first plane");
                    }
                    groups[size++] = first;
                    groups[size++] = first + count - 1;
                    groups[size++] = (shift & 1) == 0 ? shift >> 1 : -(shift >> 1);
                }
            }
            return java.util.Arrays.copyOf(groups, size);
        }
    }
}
