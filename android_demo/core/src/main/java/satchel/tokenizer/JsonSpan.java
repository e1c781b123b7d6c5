package satchel.tokenizer;

import java.nio.charset.Charset;
import java.util.LinkedHashMap;
import java.util.Map;
import satchel.SatchelException;
import satchel.json.Json;

/**
 * A part of a JSON text that is read where it stands: a vocabulary of hundreds of thousands of tokens never becomes a
 * map of objects.
 */
final class JsonSpan {
    private static final Charset UTF_8 = Charset.forName("UTF-8");
    private static final int DEEPEST = 100;

    private final byte[] bytes;
    private final int end;
    private int at;

    JsonSpan(byte[] bytes, int from, int to) {
        this.bytes = bytes;
        this.at = from;
        this.end = to;
    }

    /** The same part, to be read from its beginning. */
    JsonSpan again() {
        return new JsonSpan(bytes, at, end);
    }

    /**
     * The members of an object. Those of `large` stay parts of the text, and the members of `inner` are read in this
     * way too, so that no large ones of it are parsed.
     */
    Map<String, Object> members(String inner, String... large) {
        Map<String, Object> members = new LinkedHashMap<String, Object>();
        for (boolean more = opens('{', '}'); more; more = goesOn('}')) {
            String key = string();
            expect(':');
            space();
            int from = at;
            skip(0);
            Object value = null;
            boolean kept = false;
            for (String name : large) {
                kept |= name.equals(key) && (bytes[from] == '{' || bytes[from] == '[');
            }
            if (kept) {
                value = new JsonSpan(bytes, from, at);
            } else if (key.equals(inner) && bytes[from] == '{') {
                value = new JsonSpan(bytes, from, at).members(null, "vocab", "merges");
            } else {
                value = parsed(from, at);
            }
            if (members.containsKey(key)) {
                throw wrong("a key occurs twice in one object");
            }
            members.put(key, value);
        }
        return members;
    }

    /** At most how many members or items the object or list has that stands next; it stays unread. */
    int count() {
        JsonSpan counting = new JsonSpan(bytes, at, end);
        int count = 0;
        char open = next();
        char close = open == '{' ? '}' : ']';
        for (boolean more = counting.opens(open, close); more; more = counting.goesOn(close)) {
            ++count;
            counting.skip(1);
            if (open == '{') {
                counting.expect(':');
                counting.skip(1);
            }
        }
        return count;
    }

    /** Nothing stands behind what was read. */
    void finish() {
        space();
        if (at < end) {
            throw wrong("something stands behind the value");
        }
    }

    private Object parsed(int from, int to) {
        try {
            return Json.parse(new String(bytes, from, to - from, UTF_8));
        } catch (IllegalArgumentException error) {
            throw Invalid.file("it is not valid JSON: " + error.getMessage() + " of a part at byte " + from);
        }
    }

    /** Goes into an object or list; whether there is something in it. */
    boolean opens(char open, char close) {
        expect(open);
        return !ends(close);
    }

    /** Goes on to the next member; whether there is one. */
    boolean goesOn(char close) {
        if (ends(close)) {
            return false;
        }
        expect(',');
        return true;
    }

    /** What the next value begins with. */
    char next() {
        space();
        return at < end ? (char) bytes[at] : 0;
    }

    private boolean ends(char close) {
        if (next() != close) {
            return false;
        }
        ++at;
        return true;
    }

    void expect(char c) {
        if (next() != c) {
            throw wrong("'" + c + "' is missing");
        }
        ++at;
    }

    private void space() {
        while (at < end && (bytes[at] == ' ' || bytes[at] == '\n' || bytes[at] == '\r' || bytes[at] == '\t')) {
            ++at;
        }
    }

    String string() {
        if (next() != '"') {
            throw wrong("a text is missing");
        }
        int from = at;
        boolean plain = skipString();
        return plain ? new String(bytes, from + 1, at - from - 2, UTF_8) : (String) parsed(from, at);
    }

    /** A whole number from 0 on, or -1 where it is something else. */
    int id() {
        space();
        int from = at;
        int value = 0;
        while (at < end && at - from < 9 && bytes[at] >= '0' && bytes[at] <= '9') {
            value = 10 * value + bytes[at++] - '0';
        }
        char behind = next();
        boolean whole = behind == ',' || behind == '}' || behind == ']';
        if (at > from && whole && (value == 0 || bytes[from] != '0')) {
            return value;
        }
        at = from;
        Object number = value();
        return number instanceof Long && (Long) number >= 0 && (Long) number <= Integer.MAX_VALUE
                ? ((Long) number).intValue() : -1;
    }

    /** Any value, as Json reads it. */
    Object value() {
        space();
        int from = at;
        skip(0);
        return parsed(from, at);
    }

    private boolean skipString() {
        boolean plain = true;
        ++at;
        while (at < end && bytes[at] != '"') {
            if (bytes[at] == '\\') {
                plain = false;
                ++at;
            } else if (bytes[at] >= 0 && bytes[at] < ' ') {
                throw wrong("a control character stands in a text");
            }
            ++at;
        }
        if (at >= end) {
            throw wrong("a text does not end");
        }
        ++at;
        return plain;
    }

    /** Goes behind a value; what is in it is not looked at. */
    private void skip(int depth) {
        char c = next();
        if (depth > DEEPEST) {
            throw wrong("there are too many levels");
        }
        if (c == '"') {
            skipString();
        } else if (c == '{' || c == '[') {
            char close = c == '{' ? '}' : ']';
            for (boolean more = opens(c, close); more; more = goesOn(close)) {
                if (c == '{') {
                    if (next() != '"') {
                        throw wrong("a key is missing");
                    }
                    skipString();
                    expect(':');
                }
                skip(depth + 1);
            }
        } else {
            int from = at;
            while (at < end && ",]} \n\r\t:".indexOf(bytes[at]) < 0) {
                ++at;
            }
            if (at == from) {
                throw wrong("a value is missing");
            }
        }
    }

    private SatchelException wrong(String what) {
        return Invalid.file("it is not valid JSON: " + what + " at byte " + Math.min(at, end));
    }
}
