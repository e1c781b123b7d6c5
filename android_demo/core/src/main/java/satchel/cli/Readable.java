package satchel.cli;

import java.util.Locale;
import java.util.Map;
import satchel.json.Json;
import satchel.text.Whitespace;

/** Texts as a terminal may be shown them: nothing that it would obey. */
final class Readable {
    private static final int JOINER = 0x200d;
    private static final int NON_JOINER = 0x200c;

    private Readable() {}

    /** A text that a model wrote: controls and signs that turn the direction of writing become escapes. */
    static String text(String text) {
        StringBuilder out = new StringBuilder(text.length());
        for (int i = 0; i < text.length(); ) {
            int letter = text.codePointAt(i);
            i += Character.charCount(letter);
            if (isHarmless(letter)) {
                out.appendCodePoint(letter);
            } else {
                out.append(escaped(letter));
            }
        }
        return out.toString();
    }

    /** A text that came from a file: on one line, and only what can be printed. */
    static String plain(String text) {
        StringBuilder out = new StringBuilder(text.length());
        for (int i = 0; i < text.length(); ) {
            int letter = text.codePointAt(i);
            i += Character.charCount(letter);
            if (isPrintable(letter)) {
                out.appendCodePoint(letter);
            } else {
                out.append(escaped(letter));
            }
        }
        return out.toString();
    }

    /** A text with single spaces in place of all white space. */
    static String oneLine(String text) {
        return plain(Whitespace.single(text));
    }

    /** A value as a line of JSON that means the same everywhere and that a terminal may show. */
    static String json(Object value) {
        String text = Json.write(value);
        StringBuilder out = new StringBuilder(text.length());
        for (int i = 0; i < text.length(); ) { // signs that are escaped can stand in strings alone
            int letter = text.codePointAt(i);
            i += Character.charCount(letter);
            if (isHarmless(letter)) {
                out.appendCodePoint(letter);
                continue;
            }
            for (char half : Character.toChars(letter)) {
                out.append(String.format(Locale.ROOT, "\\u%04x", (int) half));
            }
        }
        return out.toString();
    }

    /** A map of maps as JSON, a line for each value. */
    static String indented(Map<?, ?> map) {
        StringBuilder out = new StringBuilder();
        indented(map, "", out);
        return out.toString();
    }

    private static void indented(Map<?, ?> map, String before, StringBuilder out) {
        String between = "{\n";
        for (Map.Entry<?, ?> entry : map.entrySet()) {
            out.append(between).append(before).append(' ');
            out.append(json(String.valueOf(entry.getKey()))).append(": ");
            if (entry.getValue() instanceof Map && !((Map<?, ?>) entry.getValue()).isEmpty()) {
                indented((Map<?, ?>) entry.getValue(), before + " ", out);
            } else {
                out.append(json(entry.getValue()));
            }
            between = ",\n";
        }
        out.append('\n').append(before).append('}');
    }

    private static boolean isHarmless(int letter) {
        if (letter == '\n' || letter == '\t' || letter == JOINER || letter == NON_JOINER) {
            return true;
        }
        int type = Character.getType(letter);
        return type != Character.CONTROL
                && type != Character.FORMAT
                && type != Character.LINE_SEPARATOR
                && type != Character.PARAGRAPH_SEPARATOR;
    }

    private static boolean isPrintable(int letter) {
        if (letter == ' ') {
            return true;
        }
        switch (Character.getType(letter)) {
            case Character.CONTROL:
            case Character.FORMAT:
            case Character.SURROGATE:
            case Character.PRIVATE_USE:
            case Character.UNASSIGNED:
            case Character.LINE_SEPARATOR:
            case Character.PARAGRAPH_SEPARATOR:
            case Character.SPACE_SEPARATOR:
                return false;
            default:
                return true;
        }
    }

    private static String escaped(int letter) {
        if (letter == '\n' || letter == '\r' || letter == '\t') {
            return letter == '\n' ? "\\n" : letter == '\r' ? "\\r" : "\\t";
        }
        String form = letter < 256 ? "\\x%02x" : letter < 65536 ? "\\u%04x" : "\\U%08x";
        return String.format(Locale.ROOT, form, letter);
    }
}
