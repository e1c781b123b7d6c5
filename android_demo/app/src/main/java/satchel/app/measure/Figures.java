package satchel.app.measure;

import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Figures by name, a value for each repeat. */
public final class Figures {
    private static final String[][] UNITS = {
        {"seconds", "s"},
        {"texts_per_second", "texts/s"},
        {"images_per_second", "images/s"},
        {"per_second", "tok/s"},
        {"megabytes", "MB"},
    };

    private final Map<String, List<Double>> values = new LinkedHashMap<String, List<Double>>();

    public void add(String name, double value) {
        List<Double> list = values.get(name);
        if (list == null) {
            list = new ArrayList<Double>();
            values.put(name, list);
        }
        list.add(value);
    }

    /** Median, min and max of each figure, as `satchel bench --json` writes them. */
    public Map<String, Object> spreads() {
        Map<String, Object> spreads = new LinkedHashMap<String, Object>();
        for (Map.Entry<String, List<Double>> figure : values.entrySet()) {
            List<Double> sorted = new ArrayList<Double>(figure.getValue());
            Collections.sort(sorted);
            Map<String, Object> spread = new LinkedHashMap<String, Object>();
            spread.put("median", median(sorted));
            spread.put("min", sorted.get(0));
            spread.put("max", sorted.get(sorted.size() - 1));
            spreads.put(figure.getKey(), spread);
        }
        return spreads;
    }

    private static double median(List<Double> sorted) {
        int half = sorted.size() / 2;
        return sorted.size() % 2 == 1 ? sorted.get(half) : (sorted.get(half - 1) + sorted.get(half)) / 2;
    }

    /** A figure's name for a person, with its unit: "prefill 128 (tok/s)". */
    public static String title(String name) {
        for (String[] unit : UNITS) {
            if (name.endsWith("_" + unit[0])) {
                String quantity = name.substring(0, name.length() - unit[0].length() - 1);
                return quantity.replace('_', ' ') + " (" + unit[1] + ")";
            }
        }
        return name.replace('_', ' ');
    }
}
