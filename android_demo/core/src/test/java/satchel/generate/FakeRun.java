package satchel.generate;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import satchel.Cancel;

/** A run whose logits are a fixed function of a text's last ids. It writes down what it is asked. */
final class FakeRun implements Run {
    final List<String> log = new ArrayList<String>();
    boolean logging = true;
    private final Cancel cancel = new Cancel();
    private final int vocab;
    private final long seed;
    private final double scale;
    private final double quantum;
    private final int order; // last ids that count
    private final int cancelCall;
    private int calls;
    private int[][] texts;
    private int[] lengths;
    private float[] values = {};

    FakeRun(int rows, int vocab, long seed, double scale, double quantum, int order, int cancelCall) {
        this.vocab = vocab;
        this.seed = seed;
        this.scale = scale;
        this.quantum = quantum;
        this.order = order;
        this.cancelCall = cancelCall;
        texts = new int[rows][16];
        lengths = new int[rows];
    }

    void hold(int[] ids) {
        extend(0, ids);
    }

    @Override
    public int rows() {
        return lengths.length;
    }

    @Override
    public int vocabSize() {
        return vocab;
    }

    @Override
    public int length(int row) {
        return lengths[row];
    }

    @Override
    public Cancel cancel() {
        return cancel;
    }

    @Override
    public Logits prefill(int[][] prompts) {
        called("prefill", Arrays.deepToString(prompts));
        for (int row = 0; row < prompts.length; ++row) {
            extend(row, prompts[row]);
        }
        return ofAll();
    }

    @Override
    public Logits append(int[] ids) {
        called("append", ids);
        extend(0, ids);
        return ofAll();
    }

    @Override
    public Logits read(int[] ids) {
        called("read", ids);
        float[] into = room(ids.length);
        for (int i = 0; i < ids.length; ++i) {
            extend(0, ids[i]);
            of(0, into, i);
        }
        return new Logits(into, ids.length, vocab);
    }

    @Override
    public Logits step(int[] tokens, boolean[] active) {
        if (tokens.length != lengths.length) {
            throw new AssertionError(tokens.length + " ids for " + lengths.length + " rows");
        }
        if (logging) {
            called("step", Arrays.toString(tokens) + " " + Arrays.toString(active));
        } else {
            ++calls;
        }
        for (int row = 0; row < tokens.length; ++row) {
            if (tokens[row] < 0 || tokens[row] >= vocab) {
                throw new AssertionError("id " + tokens[row]);
            }
            extend(row, tokens[row]);
        }
        Logits logits = ofAll();
        for (int row = 0; active != null && tokens.length > 1 && row < tokens.length; ++row) {
            lengths[row] -= active[row] ? 0 : 1;
        }
        return logits;
    }

    @Override
    public int[] reuse(int[] prompt) {
        int shared = 0;
        while (shared < Math.min(lengths[0], prompt.length - 1) && texts[0][shared] == prompt[shared]) {
            ++shared;
        }
        rewind(shared);
        return Arrays.copyOfRange(prompt, shared, prompt.length);
    }

    @Override
    public void rewind(int length) {
        if (length > lengths[0]) {
            throw new AssertionError("rewound to " + length);
        }
        if (logging) {
            log.add("rewind " + length);
        }
        lengths[0] = length;
    }

    @Override
    public void reorder(int[] rows, int[] shared) {
        log.add("reorder " + Arrays.toString(rows) + " " + Arrays.toString(shared));
        int[][] before = texts;
        int[] beforeLengths = lengths;
        texts = new int[rows.length][];
        lengths = new int[rows.length];
        for (int i = 0; i < rows.length; ++i) {
            lengths[i] = beforeLengths[rows[i]];
            texts[i] = before[rows[i]].clone();
            if (shared[i] > 0) {
                System.arraycopy(before[i], 0, texts[i], 0, shared[i]);
            }
        }
    }

    private void called(String what, int[] ids) {
        called(what, Arrays.toString(ids));
    }

    private void called(String what, String with) {
        log.add(what + " " + with);
        ++calls;
        if (calls == cancelCall) {
            cancel.cancel();
        }
        cancel.check();
    }

    private void extend(int row, int... ids) {
        for (int id : ids) {
            extend(row, id);
        }
    }

    private void extend(int row, int id) {
        if (lengths[row] == texts[row].length) {
            texts[row] = Arrays.copyOf(texts[row], 2 * lengths[row]);
        }
        texts[row][lengths[row]++] = id;
    }

    private float[] room(int rows) {
        if (values.length < rows * vocab) {
            values = new float[rows * vocab];
        }
        return values;
    }

    private Logits ofAll() {
        float[] into = room(lengths.length);
        for (int row = 0; row < lengths.length; ++row) {
            of(row, into, row);
        }
        return new Logits(into, lengths.length, vocab);
    }

    private void of(int row, float[] into, int place) {
        long hash = Table.hash(seed, texts[row], Math.max(0, lengths[row] - order), lengths[row]);
        Table.fill(into, place * vocab, vocab, hash, scale, quantum);
    }
}
