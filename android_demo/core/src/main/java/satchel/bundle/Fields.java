package satchel.bundle;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** An object of a manifest whose kinds have been checked: its values, or their defaults. */
final class Fields {
    private static final BigInteger MOST = BigInteger.valueOf(Long.MAX_VALUE);
    private static final BigInteger LEAST = BigInteger.valueOf(Long.MIN_VALUE);

    final Map<String, Object> values;

    @SuppressWarnings("unchecked")
    Fields(Object value) {
        values = (Map<String, Object>) value;
    }

    /** The object of that name, null where there is none. */
    Fields at(String name) {
        return values.get(name) == null ? null : new Fields(values.get(name));
    }

    String text(String name) {
        return (String) values.get(name);
    }

    String text(String name, String otherwise) {
        return values.containsKey(name) ? text(name) : otherwise;
    }

    boolean flag(String name, boolean otherwise) {
        return values.containsKey(name) ? (Boolean) values.get(name) : otherwise;
    }

    /** A whole number as an int; one beyond becomes the nearest, which no rule lets pass as an id. */
    int whole(String name, int otherwise) {
        return values.containsKey(name) ? narrow(values.get(name)) : otherwise;
    }

    /** A whole number, or null. */
    Integer wholeOrNull(String name) {
        return values.get(name) == null ? null : (Integer) narrow(values.get(name));
    }

    long count(String name) {
        return ((Number) plain(values.get(name))).longValue();
    }

    List<Object> list(String name) {
        List<Object> items = new ArrayList<Object>();
        if (values.get(name) != null) {
            items.addAll((List<?>) values.get(name));
        }
        return items;
    }

    List<String> texts(String name) {
        List<String> texts = new ArrayList<String>();
        for (Object item : list(name)) {
            texts.add((String) item);
        }
        return Collections.unmodifiableList(texts);
    }

    int[] wholes(String name) {
        List<Object> items = list(name);
        int[] wholes = new int[items.size()];
        for (int i = 0; i < wholes.length; ++i) {
            wholes[i] = narrow(items.get(i));
        }
        return wholes;
    }

    /** Whole numbers as Integer, names as String. */
    Object[] wholesOrTexts(String name) {
        Object[] items = list(name).toArray();
        for (int i = 0; i < items.length; ++i) {
            if (items[i] instanceof Number) {
                items[i] = narrow(items[i]);
            }
        }
        return items;
    }

    /** An object of whole numbers. */
    Map<String, Integer> ids(String name) {
        Map<String, Integer> ids = new LinkedHashMap<String, Integer>();
        if (values.get(name) != null) {
            for (Map.Entry<String, Object> entry : at(name).values.entrySet()) {
                ids.put(entry.getKey(), narrow(entry.getValue()));
            }
        }
        return Collections.unmodifiableMap(ids);
    }

    /** An object of texts. */
    Map<String, String> named(String name) {
        Map<String, String> named = new LinkedHashMap<String, String>();
        if (values.get(name) != null) {
            for (Map.Entry<String, Object> entry : at(name).values.entrySet()) {
                named.put(entry.getKey(), (String) entry.getValue());
            }
        }
        return Collections.unmodifiableMap(named);
    }

    /** An object of anything, empty where there is none. */
    Map<String, Object> open(String name) {
        Map<String, Object> found = openOrNull(name);
        return found == null ? Collections.<String, Object>emptyMap() : found;
    }

    @SuppressWarnings("unchecked")
    Map<String, Object> openOrNull(String name) {
        return (Map<String, Object>) plain(values.get(name));
    }

    /** A value that nobody can change, its whole numbers as Long: those beyond become the nearest. */
    private static Object plain(Object value) {
        if (value instanceof Map) {
            Map<String, Object> copy = new LinkedHashMap<String, Object>();
            for (Map.Entry<?, ?> entry : ((Map<?, ?>) value).entrySet()) {
                copy.put((String) entry.getKey(), plain(entry.getValue()));
            }
            return Collections.unmodifiableMap(copy);
        }
        if (value instanceof List) {
            List<Object> copy = new ArrayList<Object>();
            for (Object item : (List<?>) value) {
                copy.add(plain(item));
            }
            return Collections.unmodifiableList(copy);
        }
        if (value instanceof BigInteger) {
            return ((BigInteger) value).min(MOST).max(LEAST).longValue();
        }
        return value;
    }

    private static int narrow(Object value) {
        long whole = ((Number) plain(value)).longValue();
        return (int) Math.max(Integer.MIN_VALUE, Math.min(Integer.MAX_VALUE, whole));
    }
}
