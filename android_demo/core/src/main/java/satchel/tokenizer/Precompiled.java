package satchel.tokenizer;

/**
 * SentencePiece's rules of normalisation: a double array of texts and what each becomes.
 *
 * <p>A grapheme that begins with a rule's text becomes what the shortest such rule says, all of it where it has less
 * than six bytes; else this is done for each of its characters.
 */
final class Precompiled extends TextNormalizer {
    private static final int MOST_BYTES = 5;
    private static final int NONE = -1;

    private final int[] units;
    private final byte[] texts;

    /** Reads rules from their form in base 64. */
    Precompiled(String base64) {
        byte[] data = decoded(base64);
        long size = data.length < 4 ? 0 : word(data, 0) & 0xFFFFFFFFL;
        if (size < 4 || size > data.length - 4L) {
            throw Invalid.file("Precompiled's charsmap is cut off");
        }
        units = new int[(int) size / 4];
        for (int i = 0; i < units.length; ++i) {
            units[i] = word(data, 4 + 4 * i);
        }
        int from = 4 + 4 * units.length;
        texts = java.util.Arrays.copyOfRange(data, from, data.length);
        if (Utf8.strict(texts, texts.length) == null) {
            throw Invalid.file("Precompiled's charsmap is not UTF-8");
        }
    }

    private static int word(byte[] data, int at) {
        return data[at] & 255 | (data[at + 1] & 255) << 8 | (data[at + 2] & 255) << 16 | (data[at + 3] & 255) << 24;
    }

    private static byte[] decoded(String text) {
        Utf8.Bytes out = new Utf8.Bytes();
        int bits = 0;
        int held = 0;
        int end = text.length();
        while (end > 0 && text.charAt(end - 1) == '=' && text.length() - end < 2) {
            --end;
        }
        for (int i = 0; i < end; ++i) {
            int digit = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/".indexOf(text.charAt(i));
            if (digit < 0) {
                throw Invalid.file("Precompiled's charsmap is not base 64");
            }
            bits = bits << 6 | digit;
            held += 6;
            if (held >= 8) {
                held -= 8;
                out.add(bits >> held);
                bits &= (1 << held) - 1;
            }
        }
        if (text.length() % 4 != 0 || bits != 0) {
            throw Invalid.file("Precompiled's charsmap is not base 64");
        }
        return java.util.Arrays.copyOf(out.bytes, out.size);
    }

    @Override
    void apply(AlignedText text) {
        Change change = new Change(text.length + 16);
        boolean changed = false;
        for (int at = 0; at < text.length; ) {
            int end = Graphemes.end(text.chars, text.length, at);
            int bytes = 0;
            for (int i = at; i < end; ++i) {
                bytes += AlignedText.bytes(text.chars[i]);
            }
            int rule = bytes <= MOST_BYTES ? rule(text.chars, at, end) : NONE;
            if (rule != NONE) {
                replace(change, end - at, rule);
                changed = true;
                at = end;
                continue;
            }
            for (; at < end; ++at) {
                rule = rule(text.chars, at, at + 1);
                if (rule == NONE) {
                    change.add(text.chars[at], 0);
                } else {
                    replace(change, 1, rule);
                    changed = true;
                }
            }
        }
        if (changed) {
            text.transform(change, 0);
        }
    }

    private void replace(Change change, int old, int rule) {
        int end = rule;
        while (end < texts.length && texts[end] != 0) {
            ++end;
        }
        int[] chars = AlignedText.codePoints(
                Utf8.decode(java.util.Arrays.copyOfRange(texts, rule, end), end - rule));
        for (int i = 0; i < chars.length; ++i) {
            change.add(chars[i], i < old ? 0 : 1);
        }
        if (chars.length < old && change.size > 0) { // the last one, of whatever rule, swallows what is too many
            change.kinds[change.size - 1] += chars.length - old;
        }
    }

    /** Where the text of the shortest rule is that some characters begin with, or NONE. */
    private int rule(int[] chars, int from, int to) {
        int node = offset(units[0]);
        for (int i = from; i < to; ++i) {
            int c = chars[i];
            int count = AlignedText.bytes(c);
            for (int b = 0; b < count; ++b) {
                int value = count == 1 ? c
                        : b == 0 ? (0xF00 >> count & 0xFF) | c >> 6 * (count - 1) : 0x80 | c >> 6 * (count - 1 - b) & 63;
                if (value == 0) {
                    return NONE;
                }
                node ^= value;
                int unit = unit(node);
                if ((unit & 0x800000FF) != value) {
                    return NONE;
                }
                node ^= offset(unit);
                if ((unit >> 8 & 1) != 0) {
                    int leaf = unit(node) & 0x7FFFFFFF;
                    if (leaf > texts.length) {
                        throw Invalid.text("its tokenizer's charsmap is damaged");
                    }
                    return leaf;
                }
            }
        }
        return NONE;
    }

    private int unit(int node) {
        if (node < 0 || node >= units.length) {
            throw Invalid.text("its tokenizer's charsmap is damaged");
        }
        return units[node];
    }

    private static int offset(int unit) {
        return unit >>> 10 << ((unit & 0x200) >> 6);
    }
}
