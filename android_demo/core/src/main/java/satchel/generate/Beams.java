package satchel.generate;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import satchel.SatchelException;

/**
 * Beam search (Graves, 2012) over a batch of texts, equal to that of transformers. Knows no text.
 *
 * <p>A score is the sum of a text's log-probabilities, its end included, over its length to the power of the length
 * penalty. Scores are those of the Python runtime but for the last bits of exponentials and logarithms; these are
 * common to all ids of a beam, so that they can change a choice only between beams whose scores are as near.
 */
public final class Beams {
    private final Options options;
    private final int beams;
    private final int[] eos;
    private final int kept; // candidates, so that enough go on, whichever end
    private List<Search> open;
    private int vocab;
    private int fresh; // new ids of each text
    // Rows are those of the run: the beams of a source follow one another, in no order of their scores.
    private int width = 1; // beams of a source
    private float[] scores;
    private int[][] texts; // prompts and new ids
    private int[] rows; // of the run before, that the beams continue
    private int[] shared; // positions that a row has in common with it

    // Of one source at a time.
    private final Highest top = new Highest(); // the candidates; a place is beam * vocabulary + id
    private boolean[] ended = {}; // by rank of a candidate
    private int[] chosen = {}; // ranks of those that go on, best first
    private int[] placed = {};
    private int[] waiting = {};
    private float[] weights = {};

    private Beams(List<Search> searches, Options options, int[] eos) {
        this.options = options;
        this.eos = eos;
        beams = options.numBeams;
        kept = (int) Math.min(Integer.MAX_VALUE, (long) Math.max(2, 1 + eos.length) * beams);
        open = new ArrayList<Search>(searches);
        if (searches.get(0).limit < 1) {
            open.clear();
            for (Search search : searches) {
                search.found.add(new Hypothesis(new int[0], 0, "length"));
            }
        }
        scores = new float[searches.size()];
        texts = new int[searches.size()][];
        for (int i = 0; i < texts.length; ++i) {
            texts[i] = searches.get(i).prompt;
        }
    }

    /**
     * Fills `found` of the searches; the run is new and has a row for each. Fewer than num_beams are found only where
     * the options leave no more. Cancelled, the beams count as found where they are.
     *
     * @throws SatchelException NUMERIC_ERROR where the options leave none, or logits are not finite
     */
    public static void search(Run run, List<Search> searches, Options options, int[] eos) {
        Beams beams = new Beams(searches, options, eos);
        try {
            if (!beams.open.isEmpty()) {
                beams.advance(run.prefill(beams.texts));
            }
            while (!beams.open.isEmpty()) {
                run.reorder(beams.rows, beams.shared);
                beams.advance(run.step(beams.lastIds(), null));
            }
        } catch (SatchelException error) {
            if (!error.code.equals("CANCELLED")) {
                throw error;
            }
            beams.giveUp();
        }
        for (Search search : searches) {
            if (search.found.isEmpty()) {
                throw Sampler.notFinite(Float.NEGATIVE_INFINITY);
            }
        }
    }

    /** Chooses the next id of every beam; the logits [rows, vocab] are changed. */
    private void advance(Logits logits) {
        vocab = logits.size;
        ++fresh;
        int widest = (int) Math.min(beams, (long) width * vocab);
        List<Search> still = new ArrayList<Search>();
        Next next = new Next(open.size() * widest);
        for (int source = 0; source < open.size(); ++source) {
            Search search = open.get(source);
            int found = findCandidates(logits, source, search);
            finish(source, search, found);
            int going = choose(found);
            if (improves(search, ended[chosen[0]] ? Float.NEGATIVE_INFINITY : top.value(chosen[0]))) {
                move(source, search, going, next);
                still.add(search);
            }
        }
        width = widest;
        open = still;
        scores = next.scores;
        texts = Arrays.copyOf(next.texts, next.count);
        rows = Arrays.copyOf(next.rows, next.count);
        shared = Arrays.copyOf(next.shared, next.count);
    }

    /** Finds the best continuations of a source's beams; how many. */
    private int findCandidates(Logits logits, int source, Search search) {
        int length = search.prompt.length + fresh - 1;
        top.begin((int) Math.min(kept, (long) width * vocab));
        for (int beam = 0; beam < width; ++beam) {
            int row = source * width + beam;
            int at = row * vocab;
            // A score is that of the beam and the id's log-probability: its logit less the normaliser.
            float shift = scores[row];
            float normaliser = normaliser(logits.values, at, vocab);
            if (search.absolute) {
                for (int i = at; i < at + vocab; ++i) {
                    logits.values[i] -= normaliser;
                }
            } else {
                shift -= normaliser;
            }
            for (int i = 0; i < search.processors.size(); ++i) {
                search.processors.get(i).change(logits.values, at, vocab, texts[row], length, fresh - 1);
            }
            top.offer(logits.values, at, vocab, shift, beam * vocab);
        }
        int found = top.sort();
        if (ended.length < found) {
            ended = new boolean[found];
            chosen = new int[found];
            placed = new int[found];
            waiting = new int[found];
        }
        for (int rank = 0; rank < found; ++rank) {
            ended[rank] = Texts.contains(eos, id(rank));
        }
        return found;
    }

    /** Takes up the texts that end here, among the best of a source. */
    private void finish(int source, Search search, int found) {
        boolean last = fresh >= search.limit;
        for (int rank = 0; rank < Math.min(beams, found); ++rank) {
            if ((ended[rank] || last) && Sums.isFinite(top.value(rank))) {
                int[] tokens = tokens(source * width + beam(rank), search);
                if (!ended[rank]) {
                    tokens = Arrays.copyOf(tokens, fresh);
                    tokens[fresh - 1] = id(rank);
                }
                add(search, tokens, top.value(rank), fresh, ended[rank] ? "eos" : "length");
            }
        }
    }

    /** Chooses the candidates that go on, best first: what has ended goes behind, with what is ruled out. */
    private int choose(int found) {
        int most = Math.min(beams, found);
        int count = 0;
        for (int pass = 0; pass < 2; ++pass) {
            for (int rank = 0; rank < found && count < most; ++rank) {
                boolean out = ended[rank] || top.value(rank) == Float.NEGATIVE_INFINITY;
                if (out == (pass == 1)) {
                    chosen[count++] = rank;
                }
            }
        }
        return count;
    }

    /** Lets rows be the beams of a source that goes on, in an order in which a parent's first child takes its place. */
    private void move(int source, Search search, int going, Next next) {
        place(going);
        boolean stays = width == beams && next.count == source * beams; // its rows are those it had
        for (int i = 0; i < going; ++i) {
            int rank = chosen[placed[i]];
            int row = source * width + beam(rank);
            int length = search.prompt.length + fresh;
            int held = 0;
            if (stays && row != next.count) {
                held = commonLength(texts[next.count], texts[row], length - 1);
            }
            int[] text = Arrays.copyOf(texts[row], length);
            text[length - 1] = id(rank);
            next.add(ended[rank] ? Float.NEGATIVE_INFINITY : top.value(rank), text, row, held);
        }
    }

    /**
     * An order of the chosen ranks in which a parent's first child takes its parent's place: so nothing is copied for
     * it, and no row is overwritten that another one continues.
     */
    private void place(int going) {
        Arrays.fill(placed, 0, going, -1);
        int others = 0;
        for (int child = 0; child < going; ++child) {
            int parent = beam(chosen[child]);
            if (placed[parent] < 0) {
                placed[parent] = child;
            } else {
                waiting[others++] = child;
            }
        }
        for (int i = 0, other = 0; i < going; ++i) {
            if (placed[i] < 0) {
                placed[i] = waiting[other++];
            }
        }
    }

    /** Whether to go on with a source whose best beam has this score. */
    private boolean improves(Search search, float best) {
        if (fresh >= search.limit || best == Float.NEGATIVE_INFINITY) {
            return false;
        }
        if (search.found.size() < beams) {
            return true;
        }
        if (options.earlyStopping == Options.EarlyStopping.FOUND) {
            return false;
        }
        // It is impossible only where no length to come could help.
        boolean longest = options.earlyStopping == Options.EarlyStopping.IMPOSSIBLE && options.lengthPenalty > 0;
        float reached = best / divisor(longest ? search.limit : fresh);
        return reached > (float) search.found.get(search.found.size() - 1).score;
    }

    /** Counts the beams as found where they are. */
    private void giveUp() {
        for (int source = 0; source < open.size(); ++source) {
            Search search = open.get(source);
            for (int row = source * width; row < (source + 1) * width; ++row) {
                if (Sums.isFinite(scores[row])) {
                    add(search, tokens(row, search), scores[row], Math.max(fresh, 1), "cancelled");
                }
            }
        }
    }

    private void add(Search search, int[] tokens, float score, int length, String reason) {
        search.add(new Hypothesis(tokens, score / divisor(length), reason), beams);
    }

    private float divisor(int length) {
        return (float) Math.pow(length, options.lengthPenalty);
    }

    /** What logits exceed their log-probabilities by. Throws NUMERIC_ERROR where they are not finite. */
    private float normaliser(float[] logits, int at, int size) {
        if (weights.length < size) {
            weights = new float[size];
        }
        float best = logits[at + Sampler.highest(logits, at, size)];
        for (int i = 0; i < size; ++i) {
            weights[i] = Sums.exp(logits[at + i] - best);
        }
        return best + Sums.log(Sums.of(weights, 0, size));
    }

    private static int commonLength(int[] first, int[] second, int most) {
        int length = 0;
        while (length < most && first[length] == second[length]) {
            ++length;
        }
        return length;
    }

    private int beam(int rank) {
        return top.place(rank) / vocab;
    }

    private int id(int rank) {
        return top.place(rank) % vocab;
    }

    /** The new ids of a row. */
    private int[] tokens(int row, Search search) {
        return Arrays.copyOfRange(texts[row], search.prompt.length, texts[row].length);
    }

    private int[] lastIds() {
        int[] ids = new int[texts.length];
        for (int i = 0; i < ids.length; ++i) {
            ids[i] = texts[i][texts[i].length - 1];
        }
        return ids;
    }

    /** The rows that go on. */
    private static final class Next {
        final float[] scores;
        final int[][] texts;
        final int[] rows;
        final int[] shared;
        int count;

        Next(int most) {
            scores = new float[most];
            texts = new int[most][];
            rows = new int[most];
            shared = new int[most];
        }

        void add(float score, int[] text, int row, int held) {
            scores[count] = score;
            texts[count] = text;
            rows[count] = row;
            shared[count++] = held;
        }
    }
}
