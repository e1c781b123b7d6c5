package satchel.app.text;

import java.util.ArrayList;
import java.util.List;

/** Words and lines of what a person typed. */
public final class Words {
    private Words() {}

    /** What stands between white space, the first few of it. */
    public static List<String> of(String text, int most) {
        List<String> words = new ArrayList<String>();
        int start = -1;
        for (int i = 0; i <= text.length(); ++i) {
            boolean space = i == text.length() || isSpace(text.charAt(i));
            if (space && start >= 0) {
                if (words.size() == most) {
                    return words;
                }
                words.add(text.substring(start, i));
            }
            start = space ? -1 : start < 0 ? i : start;
        }
        return words;
    }

    /** Lines that hold more than white space, without that around them. */
    public static List<String> lines(String text) {
        List<String> lines = new ArrayList<String>();
        int start = 0;
        for (int i = 0; i <= text.length(); ++i) {
            if (i == text.length() || text.charAt(i) == '\n' || text.charAt(i) == '\r') {
                String line = trimmed(text.substring(start, i));
                if (!line.isEmpty()) {
                    lines.add(line);
                }
                start = i + 1;
            }
        }
        return lines;
    }

    private static String trimmed(String line) {
        int start = 0;
        int end = line.length();
        while (start < end && isSpace(line.charAt(start))) {
            ++start;
        }
        while (end > start && isSpace(line.charAt(end - 1))) {
            --end;
        }
        return line.substring(start, end);
    }

    private static boolean isSpace(char c) {
        return c == ' ' || (c >= '\t' && c <= '\r') || c == 0xa0 || c == 0xfeff;
    }
}
