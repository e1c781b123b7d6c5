package satchel.json;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * JSON, strictly: a key that occurs twice, a lone surrogate, NaN and what stands behind the value are refused.
 * Objects are LinkedHashMap, arrays ArrayList, whole numbers Long, others Double.
 */
public final class Json {
    private static final int DEEPEST = 200;
    private static final int MOST_DIGITS = 24;

    private final boolean large;
    private final String text;
    private int at;
    private int depth;

    private Json(String text, boolean large) {
        this.text = text;
        this.large = large;
    }

    /** The value of a text. Throws IllegalArgumentException where it is not JSON. */
    public static Object parse(String text) {
        return new Json(text, false).only();
    }

    /** As parse; whole numbers beyond a long, of at most 24 digits, are BigInteger. */
    public static Object parseLarge(String text) {
        return new Json(text, true).only();
    }

    private Object only() {
        Object value = value();
        space();
        if (at < text.length()) {
            throw wrong("something behind the value");
        }
        return value;
    }

    private Object value() {
        space();
        if (at >= text.length()) {
            throw wrong("the text ends");
        }
        char c = text.charAt(at);
        if (c == '{') {
            return object();
        }
        if (c == '[') {
            return array();
        }
        if (c == '"') {
            return string();
        }
        if (c == '-' || (c >= '0' && c <= '9')) {
            return number();
        }
        if (word("true")) {
            return Boolean.TRUE;
        }
        if (word("false")) {
            return Boolean.FALSE;
        }
        if (word("null")) {
            return null;
        }
        throw wrong("no value");
    }

    private Map<String, Object> object() {
        enter();
        Map<String, Object> map = new LinkedHashMap<String, Object>();
        if (!ends('}')) {
            do {
                space();
                if (at >= text.length() || text.charAt(at) != '"') {
                    throw wrong("no key");
                }
                String key = string();
                expect(':');
                if (map.containsKey(key)) {
                    throw wrong("a key occurs twice in one object");
                }
                map.put(key, value());
            } while (goesOn('}'));
        }
        --depth;
        return map;
    }

    private List<Object> array() {
        enter();
        List<Object> list = new ArrayList<Object>();
        if (!ends(']')) {
            do {
                list.add(value());
            } while (goesOn(']'));
        }
        --depth;
        return list;
    }

    private void enter() {
        ++at;
        if (++depth > DEEPEST) {
            throw wrong("too many levels");
        }
    }

    private boolean ends(char bracket) {
        space();
        if (at < text.length() && text.charAt(at) == bracket) {
            ++at;
            return true;
        }
        return false;
    }

    private boolean goesOn(char bracket) {
        if (ends(bracket)) {
            return false;
        }
        expect(',');
        return true;
    }

    private void expect(char c) {
        space();
        if (at >= text.length() || text.charAt(at) != c) {
            throw wrong("'" + c + "' is missing");
        }
        ++at;
    }

    private String string() {
        int start = ++at;
        int end = start;
        while (end < text.length() && text.charAt(end) != '"' && text.charAt(end) != '\\') {
            ++end;
        }
        if (end < text.length() && text.charAt(end) == '"') {
            at = end + 1;
            for (int i = start; i < end; ++i) {
                plain(text.charAt(i));
            }
            return checked(text.substring(start, end));
        }
        StringBuilder out = new StringBuilder();
        while (true) {
            if (at >= text.length()) {
                throw wrong("a string does not end");
            }
            char c = text.charAt(at++);
            if (c == '"') {
                return checked(out.toString());
            }
            out.append(c == '\\' ? escaped() : plain(c));
        }
    }

    /** A character that stands in a string as it is. */
    private char plain(char c) {
        if (c < ' ') {
            throw wrong("a control character in a string");
        }
        return c;
    }

    private char escaped() {
        if (at >= text.length()) {
            throw wrong("a string does not end");
        }
        char c = text.charAt(at++);
        switch (c) {
            case '"':
            case '\\':
            case '/':
                return c;
            case 'b':
                return '\b';
            case 'f':
                return '\f';
            case 'n':
                return '\n';
            case 'r':
                return '\r';
            case 't':
                return '\t';
            case 'u':
                int unit = 0;
                for (int i = 0; i < 4; ++i) {
                    int digit = at < text.length() ? Character.digit(text.charAt(at++), 16) : -1;
                    if (digit < 0) {
                        throw wrong("a wrong escape");
                    }
                    unit = unit * 16 + digit;
                }
                return (char) unit;
            default:
                throw wrong("a wrong escape");
        }
    }

    private String checked(String string) {
        for (int i = 0; i < string.length(); ++i) {
            char c = string.charAt(i);
            boolean more = i + 1 < string.length();
            if (Character.isHighSurrogate(c) && more && Character.isLowSurrogate(string.charAt(i + 1))) {
                ++i;
            } else if (Character.isSurrogate(c)) {
                throw wrong("a lone surrogate");
            }
        }
        return string;
    }

    private Object number() {
        int start = at;
        if (text.charAt(at) == '-') {
            ++at;
        }
        int digits = digits();
        if (digits == 0 || (digits > 1 && text.charAt(at - digits) == '0')) {
            throw wrong("a wrong number");
        }
        boolean whole = true;
        if (at < text.length() && text.charAt(at) == '.') {
            ++at;
            whole = false;
            if (digits() == 0) {
                throw wrong("a wrong number");
            }
        }
        if (at < text.length() && (text.charAt(at) == 'e' || text.charAt(at) == 'E')) {
            ++at;
            whole = false;
            if (at < text.length() && (text.charAt(at) == '+' || text.charAt(at) == '-')) {
                ++at;
            }
            if (digits() == 0) {
                throw wrong("a wrong number");
            }
        }
        String number = text.substring(start, at);
        if (whole) {
            if (digits > MOST_DIGITS) {
                throw wrong("a number has " + digits + " digits");
            }
            try {
                return Long.valueOf(number);
            } catch (NumberFormatException error) {
                if (large) {
                    return new BigInteger(number);
                }
                throw wrong(number + " is too large");
            }
        }
        double value = Double.parseDouble(number);
        if (Double.isInfinite(value)) {
            throw wrong(number + " is too large");
        }
        return value;
    }

    private int digits() {
        int start = at;
        while (at < text.length() && text.charAt(at) >= '0' && text.charAt(at) <= '9') {
            ++at;
        }
        return at - start;
    }

    private boolean word(String word) {
        if (text.startsWith(word, at)) {
            at += word.length();
            return true;
        }
        return false;
    }

    private void space() {
        while (at < text.length()) {
            char c = text.charAt(at);
            if (c != ' ' && c != '\n' && c != '\r' && c != '\t') {
                return;
            }
            ++at;
        }
    }

    private IllegalArgumentException wrong(String what) {
        return new IllegalArgumentException(what + " at character " + Math.min(at, text.length()));
    }

    /** A value as JSON on one line, with ", " and ": " between, as Python's json writes it. */
    public static String write(Object value) {
        StringBuilder out = new StringBuilder();
        write(value, out);
        return out.toString();
    }

    private static void write(Object value, StringBuilder out) {
        if (value instanceof Map) {
            String before = "{";
            for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                out.append(before);
                quote(String.valueOf(entry.getKey()), out);
                out.append(": ");
                write(entry.getValue(), out);
                before = ", ";
            }
            out.append(before.equals("{") ? "{}" : "}");
        } else if (value instanceof Iterable) {
            String before = "[";
            for (Object item : (Iterable<?>) value) {
                out.append(before);
                write(item, out);
                before = ", ";
            }
            out.append(before.equals("[") ? "[]" : "]");
        } else if (value instanceof int[]) {
            String before = "[";
            for (int item : (int[]) value) {
                out.append(before).append(item);
                before = ", ";
            }
            out.append(before.equals("[") ? "[]" : "]");
        } else if (value instanceof Number || value instanceof Boolean || value == null) {
            boolean real = value instanceof Double || value instanceof Float;
            out.append(real ? number(((Number) value).doubleValue()) : value);
        } else {
            quote(value.toString(), out);
        }
    }

    private static String number(double value) {
        if (Double.isNaN(value)) {
            return "NaN";
        }
        return Double.isInfinite(value) ? value > 0 ? "Infinity" : "-Infinity" : Numbers.shortest(value);
    }

    private static void quote(String string, StringBuilder out) {
        out.append('"');
        for (int i = 0; i < string.length(); ++i) {
            char c = string.charAt(i);
            if (c == '"' || c == '\\') {
                out.append('\\').append(c);
            } else if (c == '\n' || c == '\r' || c == '\t') {
                out.append(c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t");
            } else if (c < ' ') {
                out.append(c == '\b' ? "\\b" : c == '\f' ? "\\f" : String.format("\\u%04x", (int) c));
            } else {
                out.append(c);
            }
        }
        out.append('"');
    }
}
