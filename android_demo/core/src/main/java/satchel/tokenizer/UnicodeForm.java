package satchel.tokenizer;

import java.text.Normalizer;
import java.util.Arrays;

/**
 * NFD, NFKD, NFC and NFKC, which also say of each character how it came about.
 *
 * <p>Decompositions and compositions of characters are the platform's, which do not change between versions of Unicode;
 * which characters have one is in tables, since each version has more of them.
 */
final class UnicodeForm extends TextNormalizer {
    static final UnicodeForm NFD = new UnicodeForm(Normalizer.Form.NFD, false, false);
    private static final UnicodeForm NFKD = new UnicodeForm(Normalizer.Form.NFKD, true, false);
    private static final UnicodeForm NFC = new UnicodeForm(Normalizer.Form.NFC, false, true);
    private static final UnicodeForm NFKC = new UnicodeForm(Normalizer.Form.NFKC, true, true);
    private static final int CACHE = 1024;
    private static final int MOST_MARKS = 64;

    private final Normalizer.Form form;
    private final boolean compatible;
    private final boolean composes;
    private final Known[] known = new Known[CACHE];

    private UnicodeForm(Normalizer.Form form, boolean compatible, boolean composes) {
        this.form = form;
        this.compatible = compatible;
        this.composes = composes;
    }

    /** A character's decomposition, as it has been asked for. */
    private static final class Known {
        final int c;
        final int[] parts;

        Known(int c, int[] parts) {
            this.c = c;
            this.parts = parts;
        }
    }

    /** The form of that name, or null. */
    static TextNormalizer of(String type) {
        if (type.equals("NFD")) {
            return NFD;
        }
        if (type.equals("NFC")) {
            return NFC;
        }
        if (type.equals("NFKD")) {
            return NFKD;
        }
        return type.equals("NFKC") ? NFKC : null;
    }

    @Override
    void apply(AlignedText text) {
        // Below these nothing decomposes, and nothing composes with what stands before it.
        int quiet = compatible ? 0xA0 : composes ? 0x300 : 0xC0;
        boolean same = text.isAligned();
        for (int i = 0; i < text.length && same; ++i) {
            same = text.chars[i] < quiet;
        }
        if (same) {
            return;
        }
        if (text.isAligned() && fewMarks(text) && Normalizer.isNormalized(text.toString(), form)) {
            return;
        }
        Change change = decomposed(text);
        text.transform(composes ? composed(change) : change, 0);
    }

    /** Whether no more marks follow one another than any script has; platforms take very long over thousands. */
    private static boolean fewMarks(AlignedText text) {
        int run = 0;
        for (int i = 0; i < text.length && run <= MOST_MARKS; ++i) {
            run = Combining.rank(text.chars[i]) == 0 ? 0 : run + 1;
        }
        return run <= MOST_MARKS;
    }

    private Change decomposed(AlignedText text) {
        Change change = new Change(text.length + 16);
        for (int i = 0; i < text.length; ++i) {
            int c = text.chars[i];
            if (c < 0xA0) {
                change.add(c, 0);
                continue;
            }
            int[] parts = Combining.decomposes(c, compatible) ? parts(c) : null;
            if (parts == null) {
                change.add(c, 0);
            } else {
                for (int p = 0; p < parts.length; ++p) {
                    change.add(parts[p], p == 0 ? 0 : 1);
                }
            }
        }
        order(change);
        return change;
    }

    /** What a character decomposes into; null where it does not. */
    private int[] parts(int c) {
        int slot = (c ^ c >>> 10) & (CACHE - 1);
        Known entry = known[slot];
        if (entry == null || entry.c != c) {
            String alone = new String(Character.toChars(c));
            String parts = Normalizer.normalize(alone, compatible ? Normalizer.Form.NFKD : Normalizer.Form.NFD);
            entry = new Known(c, parts.equals(alone) ? null : AlignedText.codePoints(parts));
            known[slot] = entry;
        }
        return entry.parts;
    }

    /** Marks behind a letter in the order of their combining classes, those of one class as they come. */
    private static void order(Change change) {
        int at = 0;
        while (at < change.size) {
            int start = at;
            boolean sorted = true;
            for (int last = 0, rank; at < change.size && (rank = Combining.rank(change.chars[at])) != 0; ++at) {
                sorted &= rank >= last;
                last = rank;
            }
            if (!sorted) {
                sort(change, start, at);
            }
            ++at;
        }
    }

    private static void sort(Change change, int start, int end) {
        long[] keys = new long[end - start];
        int[] chars = Arrays.copyOfRange(change.chars, start, end);
        int[] kinds = Arrays.copyOfRange(change.kinds, start, end);
        for (int i = 0; i < keys.length; ++i) {
            keys[i] = (long) Combining.rank(chars[i]) << 32 | i;
        }
        Arrays.sort(keys);
        for (int i = 0; i < keys.length; ++i) {
            change.chars[start + i] = chars[(int) keys[i]];
            change.kinds[start + i] = kinds[(int) keys[i]];
        }
    }

    private static Change composed(Change parts) {
        Change change = new Change(parts.size);
        int base = -1; // where the last starter stands in `change`
        int before = 0; // the rank of what stands last, behind the starter; 0 where nothing does
        for (int i = 0; i < parts.size; ++i) {
            int c = parts.chars[i];
            int kind = parts.kinds[i];
            int rank = Combining.rank(c);
            boolean blocked = change.size - 1 > base && before >= rank;
            if (base >= 0 && !blocked) {
                int made = compose(change.chars[base], c);
                if (made >= 0) {
                    change.chars[base] = made;
                    change.kinds[base] += kind - 1;
                    continue;
                }
            }
            change.add(c, kind);
            if (rank == 0) {
                base = change.size - 1;
            }
            before = rank;
        }
        return change;
    }

    /** What two characters compose into, -1 where they do not. */
    private static int compose(int first, int second) {
        if (second < 0x300 || (second > 0x1200 && second < 0x110BA && second != 0x3099 && second != 0x309A
                && second != 0x1B35)) {
            return -1;
        }
        String pair = new StringBuilder().appendCodePoint(first).appendCodePoint(second).toString();
        String made = Normalizer.normalize(pair, Normalizer.Form.NFC);
        boolean single = made.length() < pair.length() && made.codePointCount(0, made.length()) == 1;
        return single && Combining.decomposes(made.codePointAt(0), false) ? made.codePointAt(0) : -1;
    }
}
