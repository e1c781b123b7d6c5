package satchel.conformance;

import java.util.List;
import java.util.Locale;
import java.util.Map;

/** How an answer differs from what is expected, as docs/conformance.md says. */
final class Likeness {
    private static final String HASH = "sha256";

    private final Map<String, Object> tolerances;
    private final boolean bits;

    /** With {@code bits} hashes are compared: they hold for one version of ONNX Runtime on one processor. */
    Likeness(Map<String, Object> tolerances, boolean bits) {
        this.tolerances = tolerances;
        this.bits = bits;
    }

    /** The first thing that differs and where, or null. */
    String difference(Object expected, Object found) {
        return difference(expected, found, "", "");
    }

    private String difference(Object expected, Object found, String place, String name) {
        if (name.equals(HASH) && !bits) {
            return null;
        }
        if (expected instanceof Map && found instanceof Map) {
            return ofMaps((Map<?, ?>) expected, (Map<?, ?>) found, place, name);
        }
        if (expected instanceof List && found instanceof List) {
            return ofLists((List<?>) expected, (List<?>) found, place, name);
        }
        if (expected instanceof Double && found instanceof Number) {
            double limit = tolerance(name) * Math.max(1, Math.abs((Double) expected));
            double far = Math.abs((Double) expected - ((Number) found).doubleValue());
            return far <= limit ? null : place + ": " + found + ", expected " + expected + within(limit);
        }
        boolean same = expected instanceof Long && (found instanceof Long || found instanceof Integer)
            ? (Long) expected == ((Number) found).longValue()
            : expected == null ? found == null : expected.equals(found);
        return same ? null : place + ": " + shown(found) + ", expected " + shown(expected);
    }

    private String ofMaps(Map<?, ?> expected, Map<?, ?> found, String place, String name) {
        if (!expected.keySet().equals(found.keySet())) {
            return place + ": has " + found.keySet() + ", expected " + expected.keySet();
        }
        for (Map.Entry<?, ?> entry : expected.entrySet()) {
            String key = (String) entry.getKey();
            String known = tolerances.containsKey(key) || key.equals(HASH) ? key : name;
            String at = place.isEmpty() ? key : place + "." + key;
            String difference = difference(entry.getValue(), found.get(key), at, known);
            if (difference != null) {
                return difference;
            }
        }
        return null;
    }

    private String ofLists(List<?> expected, List<?> found, String place, String name) {
        if (expected.size() != found.size()) {
            return place + ": " + shown(found) + ", expected " + shown(expected);
        }
        double largest = 1; // of the numbers of one list, of which tolerances are parts
        boolean numbers = !expected.isEmpty();
        for (Object value : expected) {
            numbers &= value instanceof Double;
            largest = numbers ? Math.max(largest, Math.abs((Double) value)) : largest;
        }
        double limit = tolerance(name) * largest;
        for (int i = 0; i < expected.size(); ++i) {
            String at = place + "[" + i + "]";
            if (numbers && found.get(i) instanceof Number) {
                double one = ((Number) found.get(i)).doubleValue();
                if (!(Math.abs(one - (Double) expected.get(i)) <= limit)) {
                    return at + ": " + one + ", expected " + expected.get(i) + within(limit);
                }
                continue;
            }
            String difference = difference(expected.get(i), found.get(i), at, name);
            if (difference != null) {
                return difference + listed(expected, found);
            }
        }
        return null;
    }

    /** Lists of ids beside each other, where they are short. */
    private static String listed(List<?> expected, List<?> found) {
        return expected.get(0) instanceof Long && expected.size() < 40 ? "; " + found + " for " + expected : "";
    }

    private double tolerance(String name) {
        Object known = tolerances.get(name);
        return known instanceof Number ? ((Number) known).doubleValue() : 0;
    }

    private static String within(double limit) {
        return String.format(Locale.ROOT, " within %.3g", limit);
    }

    private static String shown(Object value) {
        return CaseFile.shown(value, 160);
    }
}
