package satchel.generate;

import java.util.Arrays;
import java.util.List;
import satchel.SatchelException;

/** The generation loop: ids are chosen for a batch of texts, step by step. Knows no text. */
public final class GenerationLoop {
    private static final double CROWD = 0.75; // the part of a run's rows that may go on when the others leave it

    /** Is told of the ids that are chosen, but not of what ends a text. */
    public interface Listener {
        /** The row at this place has got an id. May set the row's finishReason, which ends it. */
        void chosen(int row, int id);
    }

    private final Run run;
    private final int[] ends;
    private final Listener listener;
    private Row[] batch; // the rows of the run
    private int[] numbers; // the caller's, of those
    private int[] going; // places of those that go on, the first `count`
    private int count;
    private int[] tokens; // by place; 0 for those that have ended
    private boolean[] active;
    private float[] before = {}; // logits before processors
    private int[] best;

    private GenerationLoop(Run run, Row[] rows, int[] ends, Listener listener) {
        this.run = run;
        this.ends = ends;
        this.listener = listener;
        numbers = new int[rows.length];
        going = new int[rows.length];
        best = new int[rows.length];
        for (int i = 0; i < rows.length; ++i) {
            numbers[i] = i;
        }
        seat(rows);
        for (int i = 0; i < rows.length; ++i) {
            if (rows[i].finishReason == null) {
                going[count++] = i;
            }
        }
    }

    /**
     * Chooses ids until every row has a finishReason; that is "cancelled" where the run was cancelled or something was
     * thrown. A single row goes on from what the run already holds of its prompt. Rows that end leave the run once it
     * is worth moving the others.
     *
     * @param eos ids that end a text
     * @param listener null: nobody is told
     * @throws SatchelException NUMERIC_ERROR where the logits are not finite, and what the run throws but CANCELLED
     */
    public static void run(Run run, Row[] rows, int[] eos, Listener listener) {
        for (Row row : rows) {
            if (row.limit < 1) {
                row.finishReason = "length";
            }
        }
        GenerationLoop loop = new GenerationLoop(run, rows, eos, listener);
        if (loop.count == 0) {
            return;
        }
        try {
            loop.run();
        } catch (SatchelException error) {
            if (!error.code.equals("CANCELLED")) {
                throw error;
            }
        } finally {
            for (Row row : rows) {
                if (row.finishReason == null) {
                    row.finishReason = "cancelled";
                }
            }
        }
    }

    private void run() {
        Logits logits;
        ReadingAhead ahead = null;
        if (batch.length == 1) {
            logits = run.append(run.reuse(batch[0].prompt));
            ahead = batch[0].lookup == null ? null : new ReadingAhead(run, batch[0], ends);
        } else {
            int[][] prompts = new int[batch.length][];
            for (int i = 0; i < prompts.length; ++i) {
                prompts[i] = batch[i].prompt;
            }
            logits = run.prefill(prompts);
        }
        int first = 0; // row of the logits that is the batch's first
        while (true) {
            choose(logits, first);
            report();
            if (count == 0) {
                return;
            }
            if (count <= CROWD * batch.length) {
                leave();
            }
            Arrays.fill(active, false);
            for (int i = 0; i < count; ++i) {
                active[going[i]] = true;
            }
            if (ahead == null) {
                logits = run.step(tokens, active);
            } else {
                ahead.step(tokens, active);
                logits = ahead.logits;
                first = ahead.at;
            }
        }
    }

    /** Chooses and records the next id of each row; an end of text finishes it instead. The logits may be changed. */
    private void choose(Logits logits, int first) {
        boolean collected = false;
        boolean processed = false;
        for (int i = 0; i < count; ++i) {
            collected |= batch[going[i]].collects();
            processed |= !batch[going[i]].sampler.processors.isEmpty();
        }
        int size = logits.size;
        float[] values = logits.values;
        boolean kept = collected && processed;
        if (kept && before.length < count * size) {
            before = new float[count * size];
        }
        for (int i = 0; i < count; ++i) {
            Row row = batch[going[i]];
            int at = (first + going[i]) * size;
            if (kept) {
                System.arraycopy(values, at, before, i * size, size);
            }
            List<Processor> processors = row.sampler.processors;
            for (int j = 0; j < processors.size(); ++j) {
                processors.get(j).change(values, at, size, row.text, row.length, row.count());
            }
        }
        for (int i = 0; i < count; ++i) {
            best[i] = Sampler.highest(values, (first + going[i]) * size, size);
        }
        Arrays.fill(tokens, 0);
        for (int i = 0; i < count; ++i) {
            int place = going[i];
            tokens[place] = batch[place].sampler.choose(values, (first + place) * size, size, best[i]);
        }
        for (int i = 0; i < count; ++i) {
            int place = going[i];
            Row row = batch[place];
            if (Texts.contains(ends, tokens[place])) {
                row.finishReason = "eos";
                continue;
            }
            double logprob = 0;
            if (row.collects()) {
                int at = kept ? i * size : (first + place) * size;
                logprob = Sampler.logProbability(kept ? before : values, at, size, tokens[place]);
            }
            row.add(tokens[place], logprob);
        }
    }

    /** Tells of the ids that were chosen, and finds who goes on. */
    private void report() {
        int still = 0;
        for (int i = 0; i < count; ++i) {
            int place = going[i];
            Row row = batch[place];
            if (row.finishReason == null && listener != null) {
                listener.chosen(numbers[place], tokens[place]);
            }
            if (row.finishReason == null && row.count() >= row.limit) {
                row.finishReason = "length";
            }
            if (row.finishReason == null) {
                going[still++] = place;
            }
        }
        count = still;
    }

    /** Lets the run hold only the rows that go on. */
    private void leave() {
        int[] rows = Arrays.copyOf(going, count);
        run.reorder(rows, new int[count]);
        Row[] stay = new Row[count];
        int[] chosen = tokens;
        int[] named = numbers;
        numbers = new int[count];
        for (int i = 0; i < count; ++i) {
            stay[i] = batch[rows[i]];
            numbers[i] = named[rows[i]];
            going[i] = i;
        }
        seat(stay);
        for (int i = 0; i < count; ++i) {
            tokens[i] = chosen[rows[i]];
        }
    }

    private void seat(Row[] rows) {
        batch = rows.clone();
        tokens = new int[rows.length];
        active = new boolean[rows.length];
    }
}
