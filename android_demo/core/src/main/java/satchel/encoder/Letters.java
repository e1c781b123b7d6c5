package satchel.encoder;

import java.util.Locale;
import satchel.text.Whitespace;

/** What is asked of the characters of a text: code points, as Python counts them. */
final class Letters {
    /** Thai, Lao, Tibetan, Myanmar and Khmer: letters that are not wide, in scripts without spaces. */
    private static final int[][] UNSPACED = {{0x0E00, 0x0FFF}, {0x1000, 0x109F}, {0x1780, 0x17FF}};
    private static final int CAPITAL_SIGMA = 0x3A3;
    private static final int FINAL_SIGMA = 0x3C2;
    private static final int SIGMA = 0x3C3;

    private Letters() {}

    /** The code points of a text. */
    static int[] points(String text) {
        int[] points = new int[text.codePointCount(0, text.length())];
        int at = 0;
        for (int i = 0; i < points.length; ++i) {
            points[i] = text.codePointAt(at);
            at += Character.charCount(points[i]);
        }
        return points;
    }

    /** Some of them as a text. */
    static String text(int[] points, int start, int end) {
        return new String(points, start, end - start);
    }

    /** The first {@code count} code points of a text that has as many. */
    static String beginning(String text, int count) {
        return text.substring(0, text.offsetByCodePoints(0, count));
    }

    /** Whether it is an accent or vowel sign on the letter before. */
    static boolean isMark(int point) {
        return Marks.has(point);
    }

    /** Whether there is such a one at a place of the text. */
    static boolean isMark(int[] text, int place) {
        return place >= 0 && place < text.length && isMark(text[place]);
    }

    /** Whether it is a letter, a mark or a number. */
    static boolean isLetter(int point) {
        return Alphanumerics.has(point) || isMark(point);
    }

    /** Whether its script is written without spaces between words. */
    static boolean isUnspaced(int point) {
        for (int[] range : UNSPACED) {
            if (point >= range[0] && point <= range[1]) {
                return true;
            }
        }
        return Wide.has(point);
    }

    /**
     * Where a token begins without the spaces that some tokenizers count to it; {@code start} itself where nothing
     * is left.
     */
    static int trimmedStart(int[] text, int start, int end) {
        int first = Math.min(start, text.length);
        int last = Math.min(end, text.length);
        while (first < last && Whitespace.is(text[first])) {
            ++first;
        }
        return first < last ? first : start;
    }

    /** Where it ends, with the accents that some tokenizers drop; {@code start} where nothing is left. */
    static int trimmedEnd(int[] text, int start, int end) {
        int first = Math.min(start, text.length);
        int last = Math.min(end, text.length);
        while (last > first && Whitespace.is(text[last - 1])) {
            --last;
        }
        if (last <= first) {
            return start;
        }
        while (isMark(text, last)) {
            ++last;
        }
        return last;
    }

    /** The text in lower case, as Python's {@code str.lower} makes it: a sigma at the end of a word is final. */
    static String lower(String text) {
        if (text.indexOf(CAPITAL_SIGMA) < 0) {
            return text.toLowerCase(Locale.ROOT);
        }
        int[] points = points(text);
        StringBuilder lower = new StringBuilder(text.length());
        int from = 0;
        for (int i = 0; i < points.length; ++i) {
            if (points[i] == CAPITAL_SIGMA) {
                lower.append(text(points, from, i).toLowerCase(Locale.ROOT));
                boolean isFinal = meetsCased(points, i, -1) && !meetsCased(points, i, 1);
                lower.appendCodePoint(isFinal ? FINAL_SIGMA : SIGMA);
                from = i + 1;
            }
        }
        return lower.append(text(points, from, points.length).toLowerCase(Locale.ROOT)).toString();
    }

    /** Whether the next letter in a direction that is not ignored has a case. */
    private static boolean meetsCased(int[] points, int place, int step) {
        for (int i = place + step; i >= 0 && i < points.length; i += step) {
            if (!isIgnored(points[i])) {
                return Character.isUpperCase(points[i]) || Character.isLowerCase(points[i])
                    || Character.isTitleCase(points[i]);
            }
        }
        return false;
    }

    private static boolean isIgnored(int point) {
        switch (Character.getType(point)) {
            case Character.NON_SPACING_MARK:
            case Character.ENCLOSING_MARK:
            case Character.FORMAT:
            case Character.MODIFIER_LETTER:
            case Character.MODIFIER_SYMBOL:
                return true;
            default:
                return "'.:\u00b7\u0387\u055f\u05f4\u2018\u2019\u2024\u2027\ufe13\ufe52\ufe55\uff07\uff0e\uff1a"
                    .indexOf(point) >= 0;
        }
    }
}
