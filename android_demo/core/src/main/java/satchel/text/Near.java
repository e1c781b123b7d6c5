package satchel.text;

import java.util.HashMap;
import java.util.Map;

/** The known name that a mistyped one is nearest to, by Ratcliff and Obershelp's measure. */
public final class Near {
    private static final double LEAST = 0.6;

    private Near() {}

    /** The nearest of some names, null where none is near. Of equals the greater by its letters. */
    public static String to(String name, Iterable<String> known) {
        String best = null;
        double nearest = LEAST;
        for (String other : known) {
            double ratio = ratio(other, name);
            if (ratio > nearest || (ratio == nearest && (best == null || other.compareTo(best) > 0))) {
                best = other;
                nearest = ratio;
            }
        }
        return best;
    }

    /** Twice the letters that two texts have in common, in blocks, of all their letters. */
    public static double ratio(String a, String b) {
        int[] first = codePoints(a);
        int[] second = codePoints(b);
        int length = first.length + second.length;
        return length == 0 ? 1.0 : 2.0 * common(first, 0, first.length, second, 0, second.length) / length;
    }

    private static int[] codePoints(String text) {
        int[] points = new int[text.codePointCount(0, text.length())];
        for (int i = 0, at = 0; i < points.length; ++i) {
            points[i] = text.codePointAt(at);
            at += Character.charCount(points[i]);
        }
        return points;
    }

    /** Letters of the longest common block, and of those on both sides of it. */
    private static int common(int[] a, int aStart, int aEnd, int[] b, int bStart, int bEnd) {
        int bestA = aStart;
        int bestB = bStart;
        int size = 0;
        Map<Integer, Integer> before = new HashMap<Integer, Integer>();
        for (int i = aStart; i < aEnd; ++i) {
            Map<Integer, Integer> lengths = new HashMap<Integer, Integer>();
            for (int j = bStart; j < bEnd; ++j) {
                if (a[i] == b[j]) {
                    Integer behind = before.get(j - 1);
                    int length = behind == null ? 1 : behind + 1;
                    lengths.put(j, length);
                    if (length > size) {
                        size = length;
                        bestA = i - length + 1;
                        bestB = j - length + 1;
                    }
                }
            }
            before = lengths;
        }
        if (size == 0) {
            return 0;
        }
        return size
                + common(a, aStart, bestA, b, bStart, bestB)
                + common(a, bestA + size, aEnd, b, bestB + size, bEnd);
    }
}
