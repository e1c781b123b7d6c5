package satchel.encoder;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.PriorityQueue;
import java.util.Set;
import satchel.Answer;

/** Scores of where an answer starts and ends become answers in the context. Knows no model. */
public final class Answers {
    /** Of a character, at most. */
    private static final int BYTES = 4;

    private Answers() {}

    /**
     * The {@code top} likeliest spans of at most {@code longest} tokens, likeliest first, "no answer" among them.
     *
     * <p>{@code logits} [tokens, 2] are those of start and end in {@code context}, {@code none} [2] those of "no
     * answer". A score is the product of both probabilities. Places are code points.
     */
    public static List<Answer> best(
            String context, int[] starts, int[] ends, float[] logits, float[] none, int longest, int top) {
        int[] text = Letters.points(context);
        int count = starts.length;
        double[] start = chances(logits, none, 0);
        double[] end = chances(logits, none, 1);
        int[] first = new int[count];
        int[] last = new int[count];
        for (int i = 0; i < count; ++i) {
            first[i] = Letters.trimmedStart(text, starts[i], ends[i]);
            last[i] = Letters.trimmedEnd(text, starts[i], ends[i]);
            if (first[i] >= last[i]) {
                start[i + 1] = Double.NEGATIVE_INFINITY;
                end[i + 1] = Double.NEGATIVE_INFINITY;
            }
        }
        double nothing = start[0] + end[0];
        List<Candidate> candidates = new ArrayList<Candidate>();
        candidates.add(new Candidate(nothing, 0, 0, -1));
        // Bytes of one character are tokens with the same place.
        long most = (long) BYTES * top;
        for (int length = 0; length < Math.min(longest, count); ++length) {
            for (Candidate one : likeliest(start, end, length, most)) {
                int from = first[one.token];
                int to = last[one.token + length];
                if (from < to) {
                    candidates.add(new Candidate(one.chance, from, to, one.token));
                }
            }
        }
        Collections.sort(candidates, LIKELIEST);
        List<Answer> answers = new ArrayList<Answer>();
        Set<Long> known = new HashSet<Long>();
        for (Candidate one : candidates) {
            if (one.chance == Double.NEGATIVE_INFINITY || answers.size() == top) {
                break;
            }
            if (known.add((long) one.first << 32 | one.last)) {
                String piece = Letters.text(text, one.first, one.last);
                answers.add(new Answer(piece, one.first, one.last, Math.exp(one.chance), Math.exp(nothing)));
            }
        }
        return answers;
    }

    /** Logarithms of the chances that an answer starts (column 0) or ends (1) at "no answer", and at each token. */
    private static double[] chances(float[] logits, float[] none, int column) {
        double[] values = new double[logits.length / 2 + 1];
        values[0] = none[column];
        double best = values[0];
        for (int i = 1; i < values.length; ++i) {
            values[i] = logits[2 * (i - 1) + column];
            best = Math.max(best, values[i]);
        }
        double sum = 0;
        for (int i = 0; i < values.length; ++i) {
            values[i] -= best;
            sum += Math.exp(values[i]);
        }
        double normaliser = Math.log(sum);
        for (int i = 0; i < values.length; ++i) {
            values[i] -= normaliser;
        }
        return values;
    }

    /** The likeliest spans of {@code length} + 1 tokens, at most {@code most}, in any order. */
    private static Iterable<Candidate> likeliest(double[] start, double[] end, int length, long most) {
        PriorityQueue<Candidate> kept = new PriorityQueue<Candidate>(16, Collections.reverseOrder(LIKELIEST));
        for (int token = 0; token + 1 + length < start.length; ++token) {
            double chance = start[token + 1] + end[token + 1 + length];
            if (kept.size() < most) {
                kept.add(new Candidate(chance, token, token, token));
            } else if (chance > kept.peek().chance) {
                kept.poll();
                kept.add(new Candidate(chance, token, token, token));
            }
        }
        return kept;
    }

    private static final class Candidate {
        final double chance;
        final int first;
        final int last;
        final int token;

        Candidate(double chance, int first, int last, int token) {
            this.chance = chance;
            this.first = first;
            this.last = last;
            this.token = token;
        }
    }

    /** By falling chance, then by place. */
    private static final Comparator<Candidate> LIKELIEST = new Comparator<Candidate>() {
        @Override
        public int compare(Candidate one, Candidate other) {
            if (one.chance != other.chance) {
                return one.chance > other.chance ? -1 : 1;
            }
            if (one.first != other.first) {
                return one.first < other.first ? -1 : 1;
            }
            return one.last < other.last ? -1 : one.last > other.last ? 1 : 0;
        }
    };
}
