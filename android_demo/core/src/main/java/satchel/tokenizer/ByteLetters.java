package satchel.tokenizer;

/**
 * The 256 letters that stand for bytes in byte-level vocabularies: printable Latin-1 for itself, the rest from U+0100
 * on in order.
 */
final class ByteLetters {
    static final int SPACE = 0x120;

    private static final int[] LETTERS = new int[256];
    private static final short[] BYTES = new short[0x144];

    static {
        java.util.Arrays.fill(BYTES, (short) -1);
        int next = 0x100;
        for (int b = 0; b < 256; ++b) {
            boolean printable = b >= '!' && b <= '~' || b >= 0xA1 && b <= 0xAC || b >= 0xAE;
            LETTERS[b] = printable ? b : next++;
            BYTES[LETTERS[b]] = (short) b;
        }
    }

    private ByteLetters() {}

    /** The byte that a letter stands for, -1 where it is none of these letters. */
    static int byteOf(int letter) {
        return letter < BYTES.length ? BYTES[letter] : -1;
    }

    /** Spells a text by the letters of its UTF-8 bytes. */
    static void spell(AlignedText text) {
        int n = text.length;
        boolean plain = text.isAligned();
        for (int i = 0; i < n && plain; ++i) {
            plain = text.chars[i] < 0x80;
        }
        if (plain) {
            for (int i = 0; i < n; ++i) {
                text.chars[i] = LETTERS[text.chars[i]];
            }
            return;
        }
        Change change = new Change(3 * n);
        for (int i = 0; i < n; ++i) {
            int c = text.chars[i];
            if (c < 0x80) {
                change.add(LETTERS[c], 0);
            } else if (c < 0x800) {
                change.add(LETTERS[0xC0 | c >> 6], 0);
                change.add(LETTERS[0x80 | c & 63], 1);
            } else if (c < 0x10000) {
                change.add(LETTERS[0xE0 | c >> 12], 0);
                change.add(LETTERS[0x80 | c >> 6 & 63], 1);
                change.add(LETTERS[0x80 | c & 63], 1);
            } else {
                change.add(LETTERS[0xF0 | c >> 18], 0);
                change.add(LETTERS[0x80 | c >> 12 & 63], 1);
                change.add(LETTERS[0x80 | c >> 6 & 63], 1);
                change.add(LETTERS[0x80 | c & 63], 1);
            }
        }
        text.transform(change, 0);
    }
}
