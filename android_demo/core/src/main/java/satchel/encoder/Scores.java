package satchel.encoder;

import java.util.Arrays;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import satchel.Classification;

/** What an encoder's logits say: scores of labels, passages and words. Knows no graph. */
public final class Scores {
    private Scores() {}

    /** Scores of one row of logits: softmax, sigmoid, or with "identity" the logits themselves. */
    public static float[] activated(float[] logits, String scores) {
        return activated(logits, 0, logits.length, scores);
    }

    /** Scores of the {@code size} logits from {@code start} on. */
    static float[] activated(float[] logits, int start, int size, String scores) {
        float[] row = new float[size];
        System.arraycopy(logits, start, row, 0, size);
        if (scores.equals("sigmoid")) {
            for (int i = 0; i < size; ++i) {
                row[i] = sigmoid(row[i]);
            }
        } else if (!scores.equals("identity")) {
            softmax(row);
        }
        return row;
    }

    private static float sigmoid(float logit) {
        // The logarithm of 1 + exp(-logit) without an overflow.
        float other = -logit;
        double added = Math.max(0, other) + Math.log1p(Math.exp(-Math.abs(other)));
        return (float) Math.exp(-(float) added);
    }

    private static void softmax(float[] row) {
        float best = row[best(row)];
        double sum = 0;
        for (int i = 0; i < row.length; ++i) {
            row[i] = (float) Math.exp(row[i] - best);
            sum += row[i];
        }
        float whole = (float) sum;
        for (int i = 0; i < row.length; ++i) {
            row[i] /= whole;
        }
    }

    /** The place of the highest, the first of equal ones; that of what is no number, as in Python. */
    static int best(float[] row) {
        int best = 0;
        for (int i = 0; i < row.length; ++i) {
            if (Float.isNaN(row[i])) {
                return i;
            }
            if (row[i] > row[best]) {
                best = i;
            }
        }
        return best;
    }

    /** A Classification by the logits of all labels. */
    public static Classification classification(float[] logits, List<String> names, String scores) {
        float[] row = activated(logits, scores);
        int best = best(row);
        Map<String, Double> named = new LinkedHashMap<String, Double>();
        for (int i = 0; i < row.length; ++i) {
            Double before = named.get(names.get(i));
            if (before == null || row[i] > before) {
                named.put(names.get(i), (double) row[i]);
            }
        }
        return new Classification(names.get(best), row[best], named);
    }

    /** Divides a vector by its length. */
    public static void toUnitLength(float[] vector) {
        double sum = 0;
        for (float number : vector) {
            sum += (double) number * number;
        }
        float length = (float) Math.sqrt(sum);
        for (int i = 0; i < vector.length; ++i) {
            vector[i] /= length;
        }
    }

    /** Places by falling value, those of equal ones in their order; the first {@code count} of them. */
    public static int[] descending(float[] values, int count) {
        Integer[] order = new Integer[values.length];
        for (int i = 0; i < order.length; ++i) {
            order[i] = i;
        }
        Arrays.sort(order, new Falling(values));
        int[] places = new int[Math.min(count, order.length)];
        for (int i = 0; i < places.length; ++i) {
            places[i] = order[i];
        }
        return places;
    }

    private static final class Falling implements Comparator<Integer> {
        private final float[] values;

        Falling(float[] values) {
            this.values = values;
        }

        @Override
        public int compare(Integer one, Integer other) {
            // Not Float.compare, to which -0 is below 0.
            float a = values[one];
            float b = values[other];
            return a > b ? -1 : a < b ? 1 : 0;
        }
    }
}
