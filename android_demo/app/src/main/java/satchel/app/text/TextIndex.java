package satchel.app.text;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import satchel.SatchelException;

/**
 * Texts and their vectors, compared by the cosine. A text that was there before keeps its vector, so that a changed list
 * costs only what is new. Knows no model.
 */
public final class TextIndex {
    /** More texts than a list on a phone is good for. */
    public static final int MOST = 5000;

    private final List<String> texts = new ArrayList<String>();
    private final Map<String, float[]> vectors = new HashMap<String, float[]>();

    /** A text that was found. */
    public static final class Found {
        public final String text;
        public final double score;

        Found(String text, double score) {
            this.text = text;
            this.score = score;
        }
    }

    /** Makes these the texts; those that have no vector yet are given back. */
    public List<String> set(List<String> lines) {
        Set<String> once = new LinkedHashSet<String>(lines);
        if (once.size() > MOST) {
            throw SatchelException.limit(once.size() + " texts; at most " + MOST + " are searched", "LIMIT");
        }
        texts.clear();
        texts.addAll(once);
        vectors.keySet().retainAll(once);
        List<String> missing = new ArrayList<String>();
        for (String text : texts) {
            if (!vectors.containsKey(text)) {
                missing.add(text);
            }
        }
        return missing;
    }

    /** A text's vector, which is kept at unit length. */
    public void put(String text, float[] vector) {
        vectors.put(text, unit(vector));
    }

    /** Forgets all vectors: another model's are not comparable. */
    public void forget() {
        vectors.clear();
    }

    public int size() {
        return texts.size();
    }

    /** The texts nearest to a query's vector, nearest first. */
    public List<Found> nearest(float[] query, int most) {
        float[] unit = unit(query);
        List<Found> found = new ArrayList<Found>();
        for (String text : texts) {
            float[] vector = vectors.get(text);
            if (vector != null) {
                found.add(new Found(text, product(unit, vector)));
            }
        }
        Collections.sort(found, new Comparator<Found>() {
            @Override
            public int compare(Found a, Found b) {
                return Double.compare(b.score, a.score);
            }
        });
        return found.subList(0, Math.min(most, found.size()));
    }

    private static double product(float[] a, float[] b) {
        if (a.length != b.length) {
            throw SatchelException.usage("vectors of " + a.length + " and " + b.length + " numbers");
        }
        double sum = 0;
        for (int i = 0; i < a.length; ++i) {
            sum += (double) a[i] * b[i];
        }
        return sum;
    }

    private static float[] unit(float[] vector) {
        double length = Math.sqrt(product(vector, vector));
        float[] unit = new float[vector.length];
        for (int i = 0; i < unit.length; ++i) {
            unit[i] = length > 0 ? (float) (vector[i] / length) : 0;
        }
        return unit;
    }
}
