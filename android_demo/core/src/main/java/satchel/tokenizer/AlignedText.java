package satchel.tokenizer;

import java.util.Arrays;

/**
 * A text that is being normalised, by code points, and for each of them the range of the original text that it
 * stands for.
 *
 * <p>Steps change it by {@link #transform}, which says for each new character how it came about; this keeps the ranges
 * in order through any chain of steps. Ranges are in code points of the caller's text, also in a slice.
 */
final class AlignedText {
    int[] chars;
    int[] starts;
    int[] ends;
    int length;

    /** What part of the original text this is a part of. */
    final int from;
    final int size;

    private AlignedText(int[] chars, int[] starts, int[] ends, int length, int from, int size) {
        this.chars = chars;
        this.starts = starts;
        this.ends = ends;
        this.length = length;
        this.from = from;
        this.size = size;
    }

    /** A text as it is, each character standing for itself. */
    static AlignedText of(String text) {
        int[] chars = codePoints(text);
        int[] starts = new int[chars.length];
        int[] ends = new int[chars.length];
        for (int i = 0; i < chars.length; ++i) {
            starts[i] = i;
            ends[i] = i + 1;
        }
        return new AlignedText(chars, starts, ends, chars.length, 0, chars.length);
    }

    static int[] codePoints(String text) {
        int[] chars = new int[text.codePointCount(0, text.length())];
        for (int i = 0, at = 0; at < text.length(); ++i) {
            chars[i] = text.codePointAt(at);
            at += Character.charCount(chars[i]);
        }
        return chars;
    }

    /** A part of this text, with characters of its own. */
    AlignedText slice(int a, int b) {
        if (a == 0 && b == length && length > 0 && from == starts[0] && from + size == ends[length - 1]) {
            return this;
        }
        if (a >= b) {
            return new AlignedText(new int[0], new int[0], new int[0], 0, from + a, 0);
        }
        return new AlignedText(
                Arrays.copyOfRange(chars, a, b), Arrays.copyOfRange(starts, a, b), Arrays.copyOfRange(ends, a, b),
                b - a, starts[a], ends[b - 1] - starts[a]);
    }

    boolean startsWith(int c) {
        return length > 0 && chars[0] == c;
    }

    /** Whether a step that changes nothing would leave every character where it is. */
    boolean isAligned() {
        return length == 0 || starts[0] != ends[0];
    }

    /**
     * The whole text becomes `change`, of which `removed` characters were left out at the beginning.
     *
     * <p>Characters that stand for nothing at the very beginning, having been inserted there, keep their places; what
     * is written then lies behind them.
     */
    void transform(Change change, int removed) {
        int a = 0;
        int b = length;
        if (size == 0) {
            b = 0;
        } else if (length == 0) {
            return;
        } else {
            while (a < length && starts[a] == ends[a]) {
                ++a;
            }
        }
        transform(a, b, change, removed);
    }

    /** The characters from a to b become `change`. */
    void transform(int a, int b, Change change, int removed) {
        int at = Math.min(a + removed, b);
        int count = change.size;
        int rest = length - b;
        int[] newChars = new int[a + count + rest];
        int[] newStarts = new int[a + count + rest];
        int[] newEnds = new int[a + count + rest];
        System.arraycopy(chars, 0, newChars, 0, a);
        System.arraycopy(starts, 0, newStarts, 0, a);
        System.arraycopy(ends, 0, newEnds, 0, a);
        for (int i = 0; i < count; ++i) {
            int kind = change.kinds[i];
            newChars[a + i] = change.chars[i];
            if (kind > 0) { // inserted: it stands for what the character before it stands for
                newStarts[a + i] = at < 1 ? from : starts[at - 1];
                newEnds[a + i] = at < 1 ? from : ends[at - 1];
                continue;
            }
            if (at >= length) {
                throw Invalid.text("its characters lose their places in normalisation");
            }
            newStarts[a + i] = starts[at];
            newEnds[a + i] = ends[at];
            at = Math.min(at + 1 - kind, b);
        }
        System.arraycopy(chars, b, newChars, a + count, rest);
        System.arraycopy(starts, b, newStarts, a + count, rest);
        System.arraycopy(ends, b, newEnds, a + count, rest);
        take(newChars, newStarts, newEnds, a + count + rest);
    }

    private void take(int[] newChars, int[] newStarts, int[] newEnds, int newLength) {
        chars = newChars;
        starts = newStarts;
        ends = newEnds;
        length = newLength;
    }

    /** Every match becomes `content`, which stands for what the last character up to the match's end stands for. */
    void replace(Spans spans, int[] content) {
        int most = length;
        for (int i = 0; i < spans.size; ++i) {
            most += spans.matches[i] ? content.length - (spans.ends[i] - spans.starts[i]) : 0;
        }
        int[] newChars = new int[most];
        int[] newStarts = new int[most];
        int[] newEnds = new int[most];
        int to = 0;
        for (int i = 0; i < spans.size; ++i) {
            int a = spans.starts[i];
            int b = spans.ends[i];
            if (spans.matches[i]) {
                for (int c : content) {
                    newChars[to] = c;
                    newStarts[to] = b < 1 ? from : starts[b - 1];
                    newEnds[to++] = b < 1 ? from : ends[b - 1];
                }
            } else {
                System.arraycopy(chars, a, newChars, to, b - a);
                System.arraycopy(starts, a, newStarts, to, b - a);
                System.arraycopy(ends, a, newEnds, to, b - a);
                to += b - a;
            }
        }
        take(newChars, newStarts, newEnds, to);
    }

    /** Writes `content` in front, standing for what the first character stands for; an empty text stays empty. */
    void prepend(int[] content) {
        if (length == 0) {
            return;
        }
        Change change = new Change(content.length + 1);
        for (int i = 0; i < content.length; ++i) {
            change.add(content[i], i == 0 ? 0 : 1);
        }
        change.add(chars[0], 1);
        transform(0, 1, change, 0);
    }

    /** Puts the UTF-16 form into `units`, which has room for two units a character; how many there are. */
    int utf16(char[] units) {
        int to = 0;
        for (int i = 0; i < length; ++i) {
            int c = chars[i];
            if (c < 0x10000) {
                units[to++] = (char) c;
            } else {
                units[to++] = Character.highSurrogate(c);
                units[to++] = Character.lowSurrogate(c);
            }
        }
        return to;
    }

    /** How many bytes a character has in UTF-8. */
    static int bytes(int c) {
        return c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;
    }

    String text(int a, int b) {
        return new String(chars, a, b - a);
    }

    @Override
    public String toString() {
        return text(0, length);
    }
}
