package satchel.tokenizer;

import java.util.List;
import java.util.Map;
import satchel.SatchelException;

/** The fields of one object of tokenizer.json; what has another type than expected is refused by its name. */
final class Fields {
    private final Map<String, Object> map;
    private final String where;

    private Fields(Map<String, Object> map, String where) {
        this.map = map;
        this.where = where;
    }

    @SuppressWarnings("unchecked")
    static Fields of(Object value, String where) {
        if (!(value instanceof Map)) {
            throw Invalid.file(where + " is not an object");
        }
        return new Fields((Map<String, Object>) value, where);
    }

    /** The same fields, called otherwise in messages. */
    Fields named(String name) {
        return new Fields(map, name);
    }

    boolean has(String key) {
        return map.get(key) != null;
    }

    Object get(String key) {
        return map.get(key);
    }

    Map<String, Object> all() {
        return map;
    }

    String text(String key) {
        Object value = map.get(key);
        if (!(value instanceof String)) {
            throw wrong(key, "a text");
        }
        return (String) value;
    }

    String text(String key, String usual) {
        return has(key) ? text(key) : usual;
    }

    /** A text of exactly one character. */
    int character(String key) {
        String text = text(key);
        if (text.isEmpty() || text.codePointCount(0, text.length()) != 1) {
            throw wrong(key, "one character");
        }
        return text.codePointAt(0);
    }

    boolean flag(String key) {
        Object value = map.get(key);
        if (!(value instanceof Boolean)) {
            throw wrong(key, "true or false");
        }
        return (Boolean) value;
    }

    boolean flag(String key, boolean usual) {
        return has(key) ? flag(key) : usual;
    }

    int number(String key) {
        return number(map.get(key), key);
    }

    int number(String key, int usual) {
        return has(key) ? number(key) : usual;
    }

    /** A whole number from 0 on, as ids and counts are. */
    int number(Object value, String key) {
        if (!(value instanceof Long) || (Long) value < 0 || (Long) value > Integer.MAX_VALUE) {
            throw wrong(key, "a number from 0 on");
        }
        return ((Long) value).intValue();
    }

    List<?> list(String key) {
        Object value = map.get(key);
        if (!(value instanceof List)) {
            throw wrong(key, "a list");
        }
        return (List<?>) value;
    }

    Fields object(String key) {
        return of(map.get(key), where + "'s " + key);
    }

    /** A part of the text that is read where it stands, once. */
    JsonSpan span(String key, char open) {
        Object value = map.get(key);
        if (!(value instanceof JsonSpan) || ((JsonSpan) value).next() != open) {
            throw Invalid.file(where + "'s " + key + (open == '{' ? " is not an object" : " is not a list"));
        }
        return ((JsonSpan) value).again();
    }

    SatchelException wrong(String key, String expected) {
        Object value = map.get(key);
        String found = value instanceof Map || value instanceof List ? "" : " = " + SatchelException.shown(value);
        return Invalid.file(where + "'s " + key + found + " is not " + expected);
    }
}
