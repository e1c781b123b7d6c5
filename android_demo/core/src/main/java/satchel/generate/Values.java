package satchel.generate;

import java.lang.reflect.Array;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import satchel.SatchelException;

/**
 * What the values of options are. A caller gives whole numbers, numbers, truth values, lists or arrays, and maps;
 * errors show them as Python writes them, so that a message reads the same in both runtimes.
 */
final class Values {
    private static final int SHOWN = 120;
    private static final int MOST_DIGITS = 17; // that tell one double from all others

    private Values() {}

    /** A whole number; null for anything else. */
    static BigInteger whole(Object value) {
        if (value instanceof BigInteger) {
            return (BigInteger) value;
        }
        boolean whole =
                value instanceof Integer || value instanceof Long || value instanceof Short || value instanceof Byte;
        return whole ? BigInteger.valueOf(((Number) value).longValue()) : null;
    }

    static boolean isWhole(Object value, long low) {
        BigInteger whole = whole(value);
        return whole != null && whole.compareTo(BigInteger.valueOf(low)) >= 0;
    }

    /** A whole number from 0 as an int; what is larger is as good as the largest int. */
    static int saturated(Object value) {
        BigInteger whole = whole(value);
        return whole.bitLength() > 31 ? Integer.MAX_VALUE : whole.intValue();
    }

    static boolean within(Object value, double low, double high) {
        if (!(value instanceof Number)) {
            return false;
        }
        double number = ((Number) value).doubleValue();
        return low <= number && number <= high;
    }

    /** The items of a list or an array that is not empty; null for anything else. */
    static List<Object> list(Object value) {
        List<Object> items = null;
        if (value instanceof List) {
            items = new ArrayList<Object>((Collection<?>) value);
        } else if (value != null && value.getClass().isArray()) {
            items = new ArrayList<Object>();
            for (int i = 0; i < Array.getLength(value); ++i) {
                items.add(Array.get(value, i));
            }
        }
        return items == null || items.isEmpty() ? null : items;
    }

    /** A list of ids, which are whole numbers from 0; null for anything else. */
    static List<BigInteger> ids(Object value) {
        List<Object> items = list(value);
        if (items == null) {
            return null;
        }
        List<BigInteger> ids = new ArrayList<BigInteger>(items.size());
        for (Object item : items) {
            if (!isWhole(item, 0)) {
                return null;
            }
            ids.add(whole(item));
        }
        return ids;
    }

    /** Whether a value is a number that equals another; truth values are 1 and 0. */
    static boolean is(Object value, int number) {
        if (value instanceof Boolean) {
            return ((Boolean) value ? 1 : 0) == number;
        }
        return value instanceof Number && ((Number) value).doubleValue() == number;
    }

    /** A value in an error, cut where it is long. */
    static String shown(Object value) {
        if (value == null || value instanceof Number || value instanceof Boolean) {
            String text = written(value);
            return text.length() <= SHOWN ? text : text.substring(0, SHOWN - 3) + "...";
        }
        return SatchelException.shown(text(value));
    }

    /** A value as it stands in a sentence: texts without quotes. */
    static String text(Object value) {
        return value instanceof CharSequence ? value.toString() : written(value);
    }

    /** A value as it is written in a program. */
    private static String written(Object value) {
        if (value == null) {
            return "None";
        }
        if (value instanceof Boolean) {
            return (Boolean) value ? "True" : "False";
        }
        if (value instanceof Double || value instanceof Float) {
            return number(((Number) value).doubleValue());
        }
        if (value instanceof CharSequence) {
            return quoted(value.toString());
        }
        boolean array = value.getClass().isArray();
        if (array && Array.getLength(value) == 0) {
            return "[]";
        }
        StringBuilder out = new StringBuilder();
        String before = "";
        if (value instanceof Map) {
            for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                out.append(before).append(written(entry.getKey())).append(": ").append(written(entry.getValue()));
                before = ", ";
            }
            return "{" + out + "}";
        }
        if (value instanceof List || array) {
            for (Object item : array ? list(value) : (List<?>) value) {
                out.append(before).append(written(item));
                before = ", ";
            }
            return "[" + out + "]";
        }
        return value.toString();
    }

    /** The fewest digits that mean this double. */
    private static String number(double value) {
        if (Double.isNaN(value) || Double.isInfinite(value)) {
            return Double.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
        }
        String sign = value < 0 || 1 / value < 0 ? "-" : "";
        double size = Math.abs(value);
        if (size == 0) {
            return sign + "0.0";
        }
        BigDecimal exact = new BigDecimal(size);
        BigDecimal rounded = exact;
        for (int digits = 1; digits <= MOST_DIGITS; ++digits) {
            rounded = exact.round(new MathContext(digits, RoundingMode.HALF_EVEN));
            if (rounded.doubleValue() == size) {
                break;
            }
        }
        rounded = rounded.stripTrailingZeros();
        String digits = rounded.unscaledValue().toString();
        int point = digits.length() - rounded.scale(); // of the digits, how many stand before the point
        if (point > -4 && point <= 16) {
            String plain = rounded.toPlainString();
            return sign + plain + (plain.indexOf('.') < 0 ? ".0" : "");
        }
        String fraction = digits.length() > 1 ? "." + digits.substring(1) : "";
        int power = Math.abs(point - 1);
        return sign + digits.charAt(0) + fraction + (point < 1 ? "e-" : "e+") + (power < 10 ? "0" : "") + power;
    }

    private static String quoted(String text) {
        char quote = text.indexOf('\'') >= 0 && text.indexOf('"') < 0 ? '"' : '\'';
        StringBuilder out = new StringBuilder().append(quote);
        for (int i = 0; i < text.length(); ++i) {
            char c = text.charAt(i);
            if (c == quote || c == '\\') {
                out.append('\\').append(c);
            } else if (c == '\n' || c == '\r' || c == '\t') {
                out.append(c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t");
            } else if (c < ' ' || c == 127) {
                out.append(c < 16 ? "\\x0" : "\\x").append(Integer.toHexString(c));
            } else {
                out.append(c);
            }
        }
        return out.append(quote).toString();
    }
}
