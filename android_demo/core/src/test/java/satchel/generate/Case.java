package satchel.generate;

import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import satchel.SatchelException;

/** A case from a file of cases. */
final class Case {
    private final Map<?, ?> values;

    Case(Map<?, ?> values) {
        this.values = values;
    }

    boolean has(String name) {
        return values.containsKey(name);
    }

    Object get(String name) {
        return values.get(name);
    }

    String text(String name) {
        return (String) values.get(name);
    }

    Number number(String name) {
        return (Number) values.get(name);
    }

    int whole(String name) {
        return number(name).intValue();
    }

    double real(String name) {
        return number(name).doubleValue();
    }

    boolean is(String name) {
        return Boolean.TRUE.equals(values.get(name));
    }

    List<?> list(String name) {
        return (List<?>) values.get(name);
    }

    int[] ints(String name) {
        return ints(values.get(name));
    }

    static int[] ints(Object list) {
        List<?> items = (List<?>) list;
        int[] ints = new int[items.size()];
        for (int i = 0; i < ints.length; ++i) {
            ints[i] = ((Number) items.get(i)).intValue();
        }
        return ints;
    }

    Options options() {
        return Options.from(settings(get("options")), Collections.<String, Object>emptyMap());
    }

    /** How a refusal differs from that which was expected; null: it does not. */
    String refused(SatchelException error) {
        boolean same = error.code.equals(get("error")) && error.getMessage().equals(get("message"));
        return same ? null : "refused with " + error.code + ": " + error.getMessage();
    }

    static Map<String, Object> settings(Object given) {
        Map<String, Object> settings = new LinkedHashMap<String, Object>();
        for (Map.Entry<?, ?> entry : ((Map<?, ?>) given).entrySet()) {
            settings.put((String) entry.getKey(), plain(entry.getValue()));
        }
        return settings;
    }

    /** A value in which objects stand for what JSON has not: mappings of ids, large and infinite numbers. */
    static Object plain(Object value) {
        if (value instanceof List) {
            List<Object> items = new ArrayList<Object>();
            for (Object item : (List<?>) value) {
                items.add(plain(item));
            }
            return items;
        }
        if (!(value instanceof Map)) {
            return value;
        }
        Map<?, ?> only = (Map<?, ?>) value;
        if (only.containsKey("$big")) {
            return new BigInteger((String) only.get("$big"));
        }
        if (only.containsKey("$text")) {
            int[] points = ints(only.get("$text"));
            return new String(points, 0, points.length);
        }
        if (only.containsKey("$float")) {
            String name = (String) only.get("$float");
            return name.equals("nan") ? Double.NaN : name.equals("inf") ? 1 / 0.0 : -1 / 0.0;
        }
        Map<Object, Object> map = new LinkedHashMap<Object, Object>();
        for (Object pair : (List<?>) only.get("$map")) {
            map.put(plain(((List<?>) pair).get(0)), plain(((List<?>) pair).get(1)));
        }
        return map;
    }
}
