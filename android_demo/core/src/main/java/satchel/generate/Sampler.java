package satchel.generate;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import satchel.SatchelException;

/**
 * Picks the next id of one text from its logits; holds its random state. Knows no text and no graph.
 *
 * <p>Draws are those of the Python runtime for the same seed. They could differ where a draw falls on the bound
 * between two ids to within the last bits of a double, which is once in some 10 to the power of 12 draws, and between
 * ids of equal logits at a cut, of which the lower id counts here.
 */
public final class Sampler {
    private static final float LEAST_TEMPERATURE = 1e-30f;

    public final Options options;

    /** What changes the logits before the choice, in this order. */
    public final List<Processor> processors;

    private NumpyRandom random;
    private Candidates candidates;
    private float[] scaled = new float[0];

    public Sampler(Options options, List<? extends Processor> processors) {
        this.options = options;
        this.processors = Collections.unmodifiableList(new ArrayList<Processor>(processors));
    }

    /** The next id by processed logits from `at` on, the highest of which is that of `best` and finite. */
    public int choose(float[] logits, int at, int size, int best) {
        if (options.temperature == 0) {
            return best;
        }
        if (random == null) {
            random = new NumpyRandom(options.seed);
            candidates = new Candidates(options);
        }
        if (scaled.length < size) {
            scaled = new float[size];
        }
        // With the best at 0: at a tiny temperature the others become negative infinity.
        float highest = logits[at + best];
        float temperature = Math.max((float) options.temperature, LEAST_TEMPERATURE);
        for (int i = 0; i < size; ++i) {
            scaled[i] = (logits[at + i] - highest) / temperature;
        }
        candidates.find(scaled, size);
        double[] mass = candidates.chances;
        for (int i = 1; i < candidates.count; ++i) {
            mass[i] += mass[i - 1];
        }
        double drawn = random.nextDouble() * mass[candidates.count - 1];
        int low = 0;
        int high = candidates.count - 1;
        while (low < high) { // the first above, so that a draw never lands on an id of probability 0
            int middle = (low + high) >>> 1;
            if (mass[middle] <= drawn) {
                low = middle + 1;
            } else {
                high = middle;
            }
        }
        return candidates.ids[low];
    }

    /** The id with the highest of some logits. Throws NUMERIC_ERROR where that is not finite. */
    public static int highest(float[] logits, int at, int size) {
        int best = Sums.highest(logits, at, size);
        if (!Sums.isFinite(logits[at + best])) {
            throw notFinite(logits[at + best]);
        }
        return best;
    }

    /** What to throw where the highest score of a row is infinite or no number. */
    static SatchelException notFinite(float best) {
        String reason = best == Float.NEGATIVE_INFINITY ? ": the options leave no id" : "";
        return SatchelException.error("the model's logits are not finite" + reason, "NUMERIC_ERROR");
    }

    /** Natural logarithm of the probability of an id by some logits. */
    public static double logProbability(float[] logits, int at, int size, int id) {
        float best = logits[at + Sums.highest(logits, at, size)];
        double mass = 0;
        for (int i = at; i < at + size; ++i) {
            mass += Sums.exp(logits[i] - best);
        }
        return logits[at + id] - best - Math.log(mass);
    }
}
