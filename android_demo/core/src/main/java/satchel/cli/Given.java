package satchel.cli;

import java.io.File;
import java.math.BigInteger;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** What a person gave a verb, by the names of its arguments and options. */
final class Given {
    final Map<String, Object> values = new LinkedHashMap<String, Object>();

    boolean has(String name) {
        Object value = values.get(name);
        return value != null && !(value instanceof List && ((List<?>) value).isEmpty());
    }

    String text(String name) {
        return (String) values.get(name);
    }

    File file(String name) {
        return new File(text(name));
    }

    @SuppressWarnings("unchecked")
    List<String> texts(String name) {
        Object value = values.get(name);
        return value == null ? Collections.<String>emptyList() : (List<String>) value;
    }

    boolean flag(String name) {
        return Boolean.TRUE.equals(values.get(name));
    }

    /** A whole number, null where none was given; one beyond an int becomes the nearest. */
    Integer whole(String name) {
        Object value = values.get(name);
        if (value == null) {
            return null;
        }
        BigInteger whole = new BigInteger(value.toString());
        whole = whole.min(BigInteger.valueOf(Integer.MAX_VALUE)).max(BigInteger.valueOf(Integer.MIN_VALUE));
        return whole.intValue();
    }
}
