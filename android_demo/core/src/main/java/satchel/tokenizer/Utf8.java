package satchel.tokenizer;

import java.nio.charset.Charset;
import java.util.Arrays;

/** Bytes and texts, the same on every platform where bytes are no UTF-8. */
final class Utf8 {
    private static final Charset UTF_8 = Charset.forName("UTF-8");
    private static final char REPLACEMENT = '\uFFFD';

    private Utf8() {}

    static byte[] encode(String text) {
        return text.getBytes(UTF_8);
    }

    /** The text of bytes; each longest beginning of a character that does not go on is one U+FFFD. */
    static String decode(byte[] bytes, int length) {
        StringBuilder out = new StringBuilder(length);
        read(bytes, length, out);
        return out.toString();
    }

    /** The text of bytes, or null where they are no UTF-8. */
    static String strict(byte[] bytes, int length) {
        StringBuilder out = new StringBuilder(length);
        return read(bytes, length, out) ? out.toString() : null;
    }

    /** Whether bytes are UTF-8. */
    static boolean isSound(byte[] bytes) {
        return read(bytes, bytes.length, null);
    }

    private static boolean read(byte[] bytes, int length, StringBuilder out) {
        boolean sound = true;
        int at = 0;
        while (at < length) {
            int b = bytes[at++] & 255;
            if (b < 0x80) {
                if (out != null) {
                    out.append((char) b);
                }
                continue;
            }
            int more = b >= 0xC2 && b <= 0xDF ? 1 : b >= 0xE0 && b <= 0xEF ? 2 : b >= 0xF0 && b <= 0xF4 ? 3 : 0;
            int c = more == 1 ? b & 31 : more == 2 ? b & 15 : b & 7;
            // The second byte of some characters has a narrower range: no surrogates, nothing written too long.
            int low = b == 0xE0 ? 0xA0 : b == 0xF0 ? 0x90 : 0x80;
            int high = b == 0xED ? 0x9F : b == 0xF4 ? 0x8F : 0xBF;
            int got = 0;
            while (got < more && at < length && (bytes[at] & 255) >= low && (bytes[at] & 255) <= high) {
                c = c << 6 | bytes[at++] & 63;
                low = 0x80;
                high = 0xBF;
                ++got;
            }
            boolean whole = more > 0 && got == more;
            sound &= whole;
            if (out != null) {
                out.appendCodePoint(whole ? c : REPLACEMENT);
            }
        }
        return sound;
    }

    /** Bytes that are being gathered. */
    static final class Bytes {
        byte[] bytes = new byte[64];
        int size;

        void add(int b) {
            if (size == bytes.length) {
                bytes = Arrays.copyOf(bytes, 2 * size);
            }
            bytes[size++] = (byte) b;
        }
    }
}
