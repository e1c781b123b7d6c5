package satchel.cli;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import satchel.SatchelException;
import satchel.json.Json;
import satchel.text.Whitespace;

/** Values of options, read from the words of a command line. */
final class Values {
    private Values() {}

    /** The value of a text: String, Long, BigInteger, Double, Boolean, List, or Map by ids. */
    static Object read(Argument.Read how, String text) {
        switch (how) {
            case WHOLE:
                return whole(text);
            case NUMBER:
                return number(text);
            case WORD:
                return text.equals("true") ? (Object) Boolean.TRUE : text.equals("false") ? Boolean.FALSE : text;
            case JSON:
                return json(text);
            default:
                return text;
        }
    }

    private static Object whole(String text) {
        String bare = Whitespace.stripped(text);
        String digits = bare.startsWith("-") || bare.startsWith("+") ? bare.substring(1) : bare;
        boolean fits = !digits.isEmpty();
        for (int i = 0; i < digits.length(); ++i) {
            fits &= digits.charAt(i) >= '0' && digits.charAt(i) <= '9';
        }
        if (!fits) {
            throw new IllegalArgumentException("invalid int value: " + quoted(text));
        }
        BigInteger whole = new BigInteger(bare.startsWith("+") ? digits : bare);
        return whole.bitLength() < 64 ? (Object) whole.longValue() : whole;
    }

    private static Object number(String text) {
        String bare = Whitespace.stripped(text).toLowerCase(Locale.ROOT);
        String size = bare.startsWith("-") || bare.startsWith("+") ? bare.substring(1) : bare;
        int sign = bare.startsWith("-") ? -1 : 1;
        if (size.equals("nan")) {
            return Double.NaN;
        }
        if (size.equals("inf") || size.equals("infinity")) {
            return sign * Double.POSITIVE_INFINITY;
        }
        for (int i = 0; i < size.length(); ++i) {
            if ("0123456789.e+-".indexOf(size.charAt(i)) < 0) {
                throw new IllegalArgumentException("invalid float value: " + quoted(text));
            }
        }
        try {
            return Double.valueOf(bare);
        } catch (NumberFormatException error) {
            throw new IllegalArgumentException("invalid float value: " + quoted(text));
        }
    }

    private static Object json(String text) {
        try {
            return byIds(Json.parseLarge(text));
        } catch (IllegalArgumentException error) {
            throw new IllegalArgumentException(quoted(text) + " is not JSON, as [1, 2] or {\"1\": 0.5}");
        }
    }

    /** A value in which the keys of objects are ids. */
    private static Object byIds(Object value) {
        if (value instanceof Map) {
            Map<Object, Object> map = new LinkedHashMap<Object, Object>();
            for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                map.put(whole((String) entry.getKey()), byIds(entry.getValue()));
            }
            return map;
        }
        if (value instanceof List) {
            List<Object> list = new ArrayList<Object>();
            for (Object item : (List<?>) value) {
                list.add(byIds(item));
            }
            return list;
        }
        return value;
    }

    private static String quoted(String text) {
        return SatchelException.shown(text, Integer.MAX_VALUE);
    }
}
