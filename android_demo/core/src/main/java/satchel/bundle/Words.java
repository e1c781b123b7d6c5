package satchel.bundle;

import java.util.List;
import java.util.Map;
import satchel.SatchelException;
import satchel.json.Numbers;

/** Values of a manifest in error messages, as the Python runtime writes them. */
public final class Words {
    private Words() {}

    /** A value that is safe to print: quoted, ASCII, cut; numbers, true, false and nothing unquoted. */
    public static String shown(Object value) {
        if (value instanceof List || value instanceof Map) {
            return SatchelException.shown(of(value));
        }
        return value instanceof Double ? Numbers.shortest((Double) value) : SatchelException.shown(value);
    }

    /** A value as the Python runtime writes it, whole. */
    public static String of(Object value) {
        StringBuilder out = new StringBuilder();
        write(value, out);
        return out.toString();
    }

    private static void write(Object value, StringBuilder out) {
        if (value instanceof List) {
            out.append('[');
            String before = "";
            for (Object item : (List<?>) value) {
                out.append(before);
                write(item, out);
                before = ", ";
            }
            out.append(']');
        } else if (value instanceof Map) {
            out.append('{');
            String before = "";
            for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                out.append(before);
                write(entry.getKey(), out);
                out.append(": ");
                write(entry.getValue(), out);
                before = ", ";
            }
            out.append('}');
        } else if (value instanceof String) {
            String text = (String) value;
            char quote = text.indexOf('\'') >= 0 && text.indexOf('"') < 0 ? '"' : '\'';
            out.append(quote).append(text).append(quote);
        } else {
            boolean real = value instanceof Double;
            out.append(real ? Numbers.shortest((Double) value) : SatchelException.shown(value, Integer.MAX_VALUE));
        }
    }

    /** Names with ", " between. */
    static String joined(Iterable<String> names) {
        StringBuilder out = new StringBuilder();
        String before = "";
        for (String name : names) {
            out.append(before).append(name);
            before = ", ";
        }
        return out.toString();
    }
}
