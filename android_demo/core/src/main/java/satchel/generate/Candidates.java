package satchel.generate;

/**
 * The ids that the options of sampling leave, and their probabilities. The order is that of transformers: top-h
 * (Potraghloo et al., 2025), top-k, top-p (Holtzman et al., 2020), min-p (Nguyen et al., 2024), typical-p (Meister et
 * al., 2022), epsilon and eta cut-offs (Hewitt et al., 2022).
 *
 * <p>Of equal logits at a cut, those of the lower ids stay.
 */
final class Candidates {
    private static final int HUNDRED = 100; // ids that top-h looks at
    private static final int FIRST_SORTED = 256; // ids that are sorted at first, where all may not be needed
    private static final int MORE_SORTED = 8; // times as many then
    private static final double FARTHER = 2; // a surprise that is looked at next, by the last
    private static final double FARTHEST = 1000; // beyond it all are looked at

    /** What is left: ids and probabilities, `count` of them. */
    int[] ids = new int[0];

    double[] chances = new double[0];
    int count;

    private final Options options;
    private final Highest top = new Highest();
    private double[] scratch = new double[0];
    private double[] mass = new double[0];
    private int[] order = new int[0];
    private int[] merged = new int[0];
    private final int[] places = new int[HUNDRED];
    private final float[] narrowed = new float[HUNDRED];

    Candidates(Options options) {
        this.options = options;
    }

    /** Finds them for logits over temperature, whose highest is finite. Where no option is on, all are left. */
    void find(float[] logits, int size) {
        if (ids.length < size) {
            ids = new int[size];
            chances = new double[size];
        }
        if (options.topH == null) {
            likeliest(logits, size);
        } else {
            int kept = withinEntropy(logits, size, options.topH);
            for (int i = 0; i < kept; ++i) {
                narrowed[i] = logits[places[i]];
            }
            likeliest(narrowed, kept);
            for (int i = 0; i < count; ++i) {
                ids[i] = places[ids[i]];
            }
        }
        if (options.typicalP != null) {
            typical(options.typicalP);
        }
        if (options.epsilonCutoff != null) {
            above(options.epsilonCutoff);
        }
        if (options.etaCutoff != null) {
            double epsilon = options.etaCutoff;
            above(Math.min(epsilon, Math.sqrt(epsilon) * Math.exp(-entropy())));
        }
    }

    /** Of the best hundred ids, those whose terms add up to a part of the entropy; the best always. */
    private int withinEntropy(float[] logits, int size, double part) {
        int found = sorted(logits, size, Math.min(HUNDRED, size));
        scratch = atLeast(scratch, found);
        for (int i = 0; i < found; ++i) {
            places[i] = top.place(i);
            narrowed[i] = top.value(i) - top.value(0);
            scratch[i] = Math.exp(narrowed[i]);
        }
        double normaliser = Math.log(Sums.of(scratch, 0, found));
        double sum = 0;
        for (int i = 0; i < found; ++i) {
            sum += term(Math.exp(narrowed[i] - normaliser));
            scratch[i] = sum;
        }
        int kept = 0;
        for (int i = 0; i < found; ++i) {
            kept += scratch[i] <= sum * part ? 1 : 0;
        }
        return Math.max(1, kept);
    }

    /** The ids that top-k, top-p and min-p leave, likeliest first; without them all, in their order. */
    private void likeliest(float[] logits, int size) {
        float best = logits[Sums.highest(logits, 0, size)];
        boolean all = options.topK == null;
        if (all && options.topP == null && options.minP == null) {
            for (int i = 0; i < size; ++i) {
                ids[i] = i;
                chances[i] = Math.exp(logits[i] - best);
            }
            count = size;
            normalise();
            return;
        }
        double total = 0;
        int found;
        if (all) {
            mass = atLeast(mass, size);
            for (int i = 0; i < size; ++i) {
                mass[i] = Math.exp(logits[i] - best);
            }
            total = Sums.of(mass, 0, size);
            found = enough(logits, size, total * (options.topP == null ? 1.0 : options.topP));
        } else {
            found = sorted(logits, size, Math.min(options.topK, size));
        }
        for (int i = 0; i < found; ++i) {
            ids[i] = top.place(i);
            chances[i] = Math.exp(top.value(i) - best);
        }
        if (!all || found == size) { // else the mass is of all, though some are left out for speed
            total = Sums.of(chances, 0, found);
        }
        count = found;
        if (options.topP != null) {
            // The token that crosses the mass is kept, and always at least one.
            count = Math.min(count, crossing(options.topP * total, found) + 1);
        }
        if (options.minP != null) {
            int above = 0;
            for (int i = 0; i < found; ++i) {
                above += chances[i] >= options.minP * chances[0] ? 1 : 0;
            }
            count = Math.min(count, Math.max(1, above));
        }
        normalise();
    }

    /** How many of the first chances add up to less than a mass. */
    private int crossing(double wanted, int found) {
        double sum = 0;
        for (int i = 0; i < found; ++i) {
            sum += chances[i];
            if (sum >= wanted) {
                return i;
            }
        }
        return found;
    }

    /** Sorts as many ids as hold a mass: sorting the whole vocabulary costs as much as a model's step. */
    private int enough(float[] logits, int size, double wanted) {
        for (int howMany = FIRST_SORTED; howMany < size; howMany *= MORE_SORTED) {
            int found = sorted(logits, size, howMany);
            scratch = atLeast(scratch, found);
            for (int i = 0; i < found; ++i) {
                scratch[i] = mass[top.place(i)];
            }
            boolean enough = Sums.of(scratch, 0, found) >= wanted;
            if (enough || (options.minP != null && scratch[found - 1] < options.minP)) {
                return found;
            }
        }
        return sorted(logits, size, size);
    }

    private int sorted(float[] logits, int size, int howMany) {
        top.begin(howMany);
        top.offer(logits, 0, size, 0f, 0);
        return top.sort();
    }

    /** Leaves the ids that surprise most nearly as much as is to be expected, until they hold the mass. */
    private void typical(double wanted) {
        double expected = entropy();
        double[] away = mass = atLeast(mass, count);
        if (order.length < count) {
            order = new int[count];
            merged = new int[count];
        }
        for (int i = 0; i < count; ++i) {
            away[i] = Math.abs(-Math.log(chances[i]) - expected);
        }
        keep(away, typicalBound(away, wanted));
    }

    /** The greatest distance of those that hold the mass: only the nearest are sorted, as many as it takes. */
    private double typicalBound(double[] away, double wanted) {
        for (double reach = 1; true; reach *= FARTHER) {
            int near = 0;
            for (int i = 0; i < count; ++i) {
                if (away[i] <= reach || reach > FARTHEST) {
                    order[near++] = i;
                }
            }
            sort(away, near);
            double sum = 0;
            for (int i = 0; i < near; ++i) {
                sum += chances[order[i]];
                if (sum >= wanted || i == count - 1) {
                    return away[order[i]];
                }
            }
        }
    }

    /** Leaves the ids of at least that probability; the likeliest always. */
    private void above(double least) {
        double best = 0;
        for (int i = 0; i < count; ++i) {
            best = Math.max(best, chances[i]);
        }
        double[] away = scratch = atLeast(scratch, count);
        for (int i = 0; i < count; ++i) {
            away[i] = -chances[i];
        }
        keep(away, -Math.min(least, best));
    }

    /** Leaves the ids at which some measure is at most a bound. */
    private void keep(double[] measure, double bound) {
        int kept = 0;
        for (int i = 0; i < count; ++i) {
            if (measure[i] <= bound) {
                ids[kept] = ids[i];
                chances[kept++] = chances[i];
            }
        }
        count = kept;
        normalise();
    }

    private void normalise() {
        double sum = Sums.of(chances, 0, count);
        for (int i = 0; i < count; ++i) {
            chances[i] /= sum;
        }
    }

    private double entropy() {
        scratch = atLeast(scratch, count);
        for (int i = 0; i < count; ++i) {
            scratch[i] = term(chances[i]);
        }
        return Sums.of(scratch, 0, count);
    }

    /** What an id adds to the entropy. */
    private static double term(double chance) {
        return chance > 0 ? -chance * Math.log(chance) : 0;
    }

    private static double[] atLeast(double[] array, int size) {
        return array.length < size ? new double[size] : array;
    }

    /** Sorts the first places of the order by some measure, without a change among equal ones. */
    private void sort(double[] measure, int length) {
        int[] from = order;
        int[] to = merged;
        for (int width = 1; width < length; width *= 2) {
            for (int start = 0; start < length; start += 2 * width) {
                int middle = Math.min(start + width, length);
                int end = Math.min(start + 2 * width, length);
                int left = start;
                int right = middle;
                for (int i = start; i < end; ++i) {
                    boolean first =
                            left < middle && (right >= end || measure[from[left]] <= measure[from[right]]);
                    to[i] = from[first ? left++ : right++];
                }
            }
            int[] other = from;
            from = to;
            to = other;
        }
        order = from;
        merged = to;
    }
}
