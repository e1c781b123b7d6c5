package satchel.decoder;

import java.util.Arrays;
import java.util.TreeSet;
import satchel.Cancel;
import satchel.SatchelException;
import satchel.generate.Logits;
import satchel.generate.Run;

/**
 * A batch of texts in progress: their cache, their lengths and, for a single text, its ids. For one thread at a
 * time; whoever started it closes it.
 */
public final class DecoderRun implements Run, AutoCloseable {
    private static final int CHUNK = DecoderSession.CHUNK;

    private final KeyValueCache cache;
    private final Calls calls;
    private DecoderSession decoder;
    private Sources fewer; // of this run alone: those that are still read, or null
    private Cancel cancel;
    private int[] lengths;
    private int[] ids = new int[CHUNK]; // what the cache of a single text holds
    private float[] values = new float[0];
    private Logits logits;

    /** What is told the logits behind each of many ids. */
    public interface Reader {
        /** The logits [vocab] behind the id at `place`; the next overwrites them. */
        void row(int place, float[] values);
    }

    DecoderRun(DecoderSession decoder, int batch, Cancel cancel) {
        this(decoder, batch, cancel,
                new KeyValueCache(decoder.manifest.cache, batch, decoder.context, decoder.memory));
    }

    private DecoderRun(DecoderSession decoder, int batch, Cancel cancel, KeyValueCache cache) {
        if (decoder.sources != null && batch % decoder.sources.count() != 0) {
            throw new IllegalArgumentException(batch + " texts for " + decoder.sources.count() + " sources");
        }
        this.decoder = decoder;
        this.cancel = cancel;
        this.cache = cache;
        calls = new Calls(cache);
        lengths = new int[batch];
    }

    @Override
    public int rows() {
        return lengths.length;
    }

    @Override
    public int vocabSize() {
        return decoder.vocabSize;
    }

    @Override
    public int length(int row) {
        return lengths[row];
    }

    @Override
    public Cancel cancel() {
        return cancel;
    }

    /** What stops the runs to come: one that is kept serves many generations. */
    public void cancelBy(Cancel other) {
        cancel = other;
    }

    @Override
    public Logits prefill(int[][] prompts) {
        if (prompts.length != lengths.length) {
            throw new IllegalArgumentException(prompts.length + " prompts for " + lengths.length + " texts");
        }
        if (prompts.length == 1) {
            return append(prompts[0]);
        }
        for (int[] prompt : prompts) {
            Ids.checked(prompt, decoder.vocabSize);
        }
        int width = Ids.longest(prompts);
        reserve(width);
        if (width > CHUNK && decoder.sources == null) {
            return prefillAlone(prompts);
        }
        DecoderCall call = call(width, prompts.length);
        for (int row = 0; row < prompts.length; ++row) {
            int length = prompts[row].length;
            for (int place = 0; place < width; ++place) {
                call.id(row, place, place < length ? prompts[row][place] : 0);
            }
            call.length(row, length);
            call.place(row, row * width + length - 1);
        }
        call.run(width, cancel);
        for (int row = 0; row < prompts.length; ++row) {
            lengths[row] = prompts[row].length;
        }
        return given(call);
    }

    /**
     * Reads each prompt by itself, into its part of the cache and in pieces: attention over whole ones takes
     * memory by their square, and short ones would be filled up to the longest.
     */
    private Logits prefillAlone(int[][] prompts) {
        int size = decoder.vocabSize;
        float[] all = new float[prompts.length * size];
        for (int row = 0; row < prompts.length; ++row) {
            DecoderRun alone = new DecoderRun(decoder, 1, cancel, cache.row(row));
            try {
                System.arraycopy(alone.append(prompts[row]).values, 0, all, row * size, size);
            } finally {
                alone.close();
            }
        }
        for (int row = 0; row < prompts.length; ++row) {
            lengths[row] = prompts[row].length;
        }
        return new Logits(all, prompts.length, size);
    }

    @Override
    public Logits append(int[] tokens) {
        single();
        Ids.checked(tokens, decoder.vocabSize);
        reserve(lengths[0] + tokens.length);
        DecoderCall call = null;
        for (int start = 0; start < tokens.length; start += CHUNK) {
            int width = Math.min(CHUNK, tokens.length - start);
            call = call(width, 1);
            call.place(0, width - 1);
            readInto(call, tokens, start);
        }
        return given(call);
    }

    /** Adds ids to a single text and tells the logits behind each, one after the other. */
    public void appendEach(int[] tokens, Reader reader) {
        single();
        Ids.checked(tokens, decoder.vocabSize);
        reserve(lengths[0] + tokens.length);
        float[] row = new float[decoder.vocabSize];
        for (int start = 0; start < tokens.length; start += CHUNK) {
            int width = Math.min(CHUNK, tokens.length - start);
            DecoderCall call = call(width, width);
            readInto(call, tokens, start);
            for (int place = 0; place < width; ++place) {
                call.copy(place, 1, row);
                reader.row(start + place, row);
            }
        }
    }

    @Override
    public Logits read(int[] tokens) {
        single();
        reserve(lengths[0] + tokens.length);
        DecoderCall call = step(tokens.length);
        readInto(call, tokens, 0);
        return given(call);
    }

    @Override
    public Logits step(int[] tokens, boolean[] active) {
        int longest = 0;
        for (int length : lengths) {
            longest = Math.max(longest, length + 1);
        }
        reserve(longest);
        DecoderCall call = step(1);
        for (int row = 0; row < lengths.length; ++row) {
            call.id(row, 0, tokens[row]);
            call.length(row, lengths[row] + 1);
        }
        call.run(longest, cancel);
        if (lengths.length == 1) {
            keep(tokens, 0, 1);
            ++lengths[0];
        } else {
            for (int row = 0; row < lengths.length; ++row) {
                lengths[row] += active == null || active[row] ? 1 : 0;
            }
        }
        return given(call);
    }

    @Override
    public void rewind(int length) {
        single();
        lengths[0] = length;
    }

    @Override
    public int[] reuse(int[] prompt) {
        single();
        int shared = 0;
        int most = Math.min(lengths[0], prompt.length - 1); // one must be left to run
        while (shared < most && ids[shared] == prompt[shared]) {
            ++shared;
        }
        rewind(shared);
        return Arrays.copyOfRange(prompt, shared, prompt.length);
    }

    @Override
    public void reorder(int[] rows, int[] shared) {
        if (decoder.sources != null) {
            letGo(rows);
        }
        int[] held = shared == null ? new int[rows.length] : shared;
        if (cache.reorder(rows, held, lengths)) {
            calls.forget(); // bound to the tensors before
        }
        int[] theirs = new int[rows.length];
        for (int row = 0; row < rows.length; ++row) {
            theirs[row] = lengths[rows[row]];
        }
        lengths = theirs;
    }

    /** Lets go sources that no row reads any more. */
    private void letGo(int[] rows) {
        int each = lengths.length / decoder.sources.count();
        TreeSet<Integer> read = new TreeSet<Integer>();
        for (int row : rows) {
            read.add(row / each);
        }
        if (read.size() == decoder.sources.count()) {
            return;
        }
        int[] places = new int[read.size()];
        int count = 0;
        for (Integer place : read) {
            places[count++] = place;
        }
        Sources left = decoder.sources.only(places);
        decoder = decoder.reading(left);
        calls.forget(); // bound to the sources before
        if (fewer != null) {
            fewer.close();
        }
        fewer = left;
    }

    /** Makes room for texts up to this length; CONTEXT where it is beyond the bundle's. */
    public void reserve(int longest) {
        if (longest > decoder.context) {
            throw SatchelException.limit(
                    "the text has " + longest + " tokens, the bundle's context is " + decoder.context, "CONTEXT");
        }
        if (cache.reserve(longest)) {
            calls.forget(); // bound to the tensors before
        }
    }

    /** Gives the cache's memory to the next run. This one can only be closed then. */
    public void release() {
        calls.forget();
        cache.release();
    }

    @Override
    public void close() {
        calls.close();
        cache.close();
        if (fewer != null) {
            fewer.close();
            fewer = null;
        }
    }

    private void single() {
        if (lengths.length != 1) {
            throw new IllegalStateException("a batch of " + lengths.length + " texts");
        }
    }

    /** Runs a call for the next ids of a single text, as many as it is wide. */
    private void readInto(DecoderCall call, int[] tokens, int start) {
        int length = lengths[0] + call.width;
        for (int place = 0; place < call.width; ++place) {
            call.id(0, place, tokens[start + place]);
        }
        call.length(0, length);
        call.run(length, cancel);
        keep(tokens, start, call.width);
        lengths[0] = length;
    }

    /** Notes ids that a single text goes on with, before its length is. */
    private void keep(int[] tokens, int start, int count) {
        int length = lengths[0];
        if (length + count > ids.length) {
            ids = Arrays.copyOf(ids, Math.max(length + count, 2 * ids.length));
        }
        System.arraycopy(tokens, start, ids, length, count);
    }

    /** The call for so many ids per row and logits; one id each, as targets begin, is a step. */
    private DecoderCall call(int width, int rows) {
        return width == 1 ? step(1) : calls.reading(decoder, lengths.length, width, rows);
    }

    /** The call for `width` ids per row and the logits behind each. */
    private DecoderCall step(int width) {
        return calls.step(decoder, lengths.length, width);
    }

    /** The logits of a call; the next overwrites them. */
    private Logits given(DecoderCall call) {
        int size = decoder.vocabSize;
        if (values.length < call.rows * size) {
            values = new float[call.rows * size];
            logits = null;
        }
        call.copy(0, call.rows, values);
        if (logits == null || logits.rows != call.rows) {
            logits = new Logits(values, call.rows, size);
        }
        return logits;
    }
}
