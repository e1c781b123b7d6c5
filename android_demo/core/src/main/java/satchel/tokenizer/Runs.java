package satchel.tokenizer;

import java.util.Arrays;

/** A small number for every code point, kept as runs; the first plane's are spread out when they are first asked for. */
final class Runs {
    private static final int PLANE = 0x10000;
    private static final int LAST = 0x110000;

    private final byte[] plane = new byte[PLANE];
    private final int[] starts; // of the runs beyond it
    private final byte[] values;

    Runs(String text) {
        Reader reader = new Reader(text);
        int[] firsts = new int[text.length()];
        byte[] kinds = new byte[text.length()];
        int count = 0;
        int at = 0;
        while (reader.more()) {
            byte value = (byte) reader.number();
            int end = at + reader.number();
            if (at < PLANE) {
                Arrays.fill(plane, at, Math.min(end, PLANE), value);
            }
            if (end > PLANE) {
                firsts[count] = Math.max(at, PLANE);
                kinds[count++] = value;
            }
            at = end;
        }
        if (at != LAST) {
            throw new IllegalStateException("a table ends at " + at);
        }
        starts = Arrays.copyOf(firsts, count);
        values = Arrays.copyOf(kinds, count);
    }

    int of(int c) {
        if (c < PLANE) {
            return plane[c] & 255;
        }
        int found = Arrays.binarySearch(starts, c);
        return values[found >= 0 ? found : -found - 2] & 255;
    }

    /** Numbers of five bits a digit, the lowest first; a digit from 32 on says that another follows. */
    static final class Reader {
        private final String text;
        private int at;

        Reader(String text) {
            this.text = text;
        }

        boolean more() {
            return at < text.length();
        }

        int number() {
            int value = 0;
            int shift = 0;
            int digit;
            do {
                digit = digit(text.charAt(at++));
                value |= (digit & 31) << shift;
                shift += 5;
            } while (digit >= 32);
            return value;
        }

        private static int digit(char c) {
            if (c <= '9' && c >= '0') {
                return c - '0';
            }
            if (c <= 'Z' && c >= 'A') {
                return c - 'A' + 10;
            }
            return c == '+' ? 62 : c == '-' ? 63 : c - 'a' + 36;
        }
    }
}
