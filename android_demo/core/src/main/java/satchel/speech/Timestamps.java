package satchel.speech;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * What Whisper's timestamp tokens mean: which may come next, and how they cut a window into segments.
 *
 * <p>As in transformers and the paper (Radford et al., 2022, section 2.3): timestamps come in pairs around a segment,
 * never go back, and one is taken where together they are likelier than any other token.
 */
public final class Timestamps {
    /** Ids from here on are steps of time; the one before says that there are none. */
    public final int first;
    /** Ends a text, and is below them. */
    private final int end;
    /** Steps that the first timestamp has at most, or null. */
    private final Integer latestStart;

    public Timestamps(int first, int end, Integer latestStart) {
        this.first = first;
        this.end = end;
        this.latestStart = latestStart;
    }

    /** Tokens between two steps of time from the beginning of a window. */
    public static final class Cut {
        public final int start;
        public final int end;
        public final int[] tokens;

        Cut(int start, int end, int[] tokens) {
            this.start = start;
            this.end = end;
            this.tokens = tokens;
        }
    }

    /** The segments of a window, and the steps until the next window begins. */
    public static final class Cuts {
        public final List<Cut> cuts;
        public final int following;

        Cuts(List<Cut> cuts, int following) {
            this.cuts = cuts;
            this.following = following;
        }

        /** A window that is one segment from its beginning to its end. */
        public static Cuts one(int[] tokens, int steps) {
            List<Cut> cuts = new ArrayList<Cut>();
            cuts.add(new Cut(0, steps, tokens));
            return new Cuts(cuts, steps);
        }
    }

    /**
     * Rules out what may not come after a text.
     *
     * @param scores of every id, {@code size} of them from {@code from} on
     * @param tokens the text's new ids, the first {@code count} of the array
     */
    void rule(float[] scores, int from, int size, int[] text, int begin, int length) {
        int time = from + first;
        int behind = from + size;
        scores[time - 1] = Float.NEGATIVE_INFINITY;
        if (length == begin) {
            Arrays.fill(scores, from, time, Float.NEGATIVE_INFINITY);
            if (latestStart != null && latestStart + 1 < size - first) {
                Arrays.fill(scores, time + latestStart + 1, behind, Float.NEGATIVE_INFINITY);
            }
            return;
        }
        boolean afterTime = text[length - 1] >= first;
        boolean opened = afterTime && (length - begin == 1 || text[length - 2] >= first);
        int latest = latest(text, begin, length);
        if (latest >= 0) {
            // Only what closes a segment and what opens the next may be the same time.
            int stop = latest + (afterTime && !opened ? 0 : 1);
            Arrays.fill(scores, time, from + stop, Float.NEGATIVE_INFINITY);
        }
        if (opened) {
            Arrays.fill(scores, time, behind, Float.NEGATIVE_INFINITY);
        } else if (afterTime) {
            Arrays.fill(scores, from, from + end, Float.NEGATIVE_INFINITY);
        }
        if (timesAreLikelier(scores, from, behind)) {
            Arrays.fill(scores, from, time, Float.NEGATIVE_INFINITY);
        }
    }

    private boolean timesAreLikelier(float[] scores, int from, int behind) {
        int time = from + first;
        float word = highest(scores, from, time);
        float best = Math.max(word, highest(scores, time, behind));
        double sum = 0;
        for (int i = time; i < behind; ++i) {
            sum += (float) Math.exp(scores[i] - best);
        }
        return (float) sum > (float) Math.exp(word - best);
    }

    private static float highest(float[] scores, int from, int to) {
        float best = Float.NEGATIVE_INFINITY;
        for (int i = from; i < to; ++i) {
            best = Math.max(best, scores[i]);
        }
        return best;
    }

    /** The last timestamp of a text, -1 for none. */
    private int latest(int[] tokens, int begin, int length) {
        for (int i = length - 1; i >= begin; --i) {
            if (tokens[i] >= first) {
                return tokens[i];
            }
        }
        return -1;
    }

    /**
     * The segments in the tokens of a window of so many steps. Where the last segment is open, the next window begins
     * with it; else behind this one.
     */
    public Cuts cut(int[] tokens, int steps) {
        List<Integer> bounds = new ArrayList<Integer>();
        for (int i = 0; i + 1 < tokens.length; ++i) {
            if (tokens[i] >= first && tokens[i + 1] >= first) {
                bounds.add(i + 1);
            }
        }
        List<Cut> cuts = new ArrayList<Cut>();
        if (bounds.isEmpty()) {
            cuts.add(new Cut(0, endOfOne(tokens, steps), tokens));
            return new Cuts(cuts, steps);
        }
        int count = tokens.length;
        boolean closed = tokens[count - 1] >= first && tokens[count - 2] < first;
        if (closed) { // nothing is said after the last segment
            bounds.add(count);
        }
        int start = 0;
        for (int bound : bounds) {
            int[] part = Arrays.copyOfRange(tokens, start, bound);
            cuts.add(new Cut(part[0] - first, part[part.length - 1] - first, part));
            start = bound;
        }
        return new Cuts(cuts, closed ? steps : Math.max(1, cuts.get(cuts.size() - 1).end));
    }

    /** Where a window's only segment ends: at its last timestamp, unless that is its beginning. */
    private int endOfOne(int[] tokens, int steps) {
        int latest = latest(tokens, 0, tokens.length);
        return latest > first ? latest - first : steps;
    }
}
