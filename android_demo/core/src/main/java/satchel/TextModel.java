package satchel;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import satchel.bundle.Bundle;
import satchel.decoder.DecoderRun;
import satchel.generate.Beams;
import satchel.generate.Generation;
import satchel.generate.Hypothesis;
import satchel.generate.Lookup;
import satchel.generate.Options;
import satchel.generate.Processor;
import satchel.generate.Processors;
import satchel.generate.Row;
import satchel.generate.Sampler;
import satchel.generate.Search;
import satchel.text.Prompts;
import satchel.tokenizer.Tokenizer;

/**
 * A loaded bundle that writes text: prompts in, generated text out, whole or piece by piece. Subclasses say what a
 * prompt is to their decoder. Safe to use from several threads.
 *
 * <p>Options have the names of Python, for example in a {@link GenerationOptions}: those of {@link Options},
 * "max_new_tokens" (null: until the context is full; by default the bundle's, or 512) and "stop" (texts to end at).
 */
public abstract class TextModel extends Model implements Measured {
    public final Tokenizer tokenizer;

    TextModel(Bundle bundle) {
        this(bundle, Tokenizer.read(bundle.file(Bundle.TOKENIZER)));
    }

    TextModel(Bundle bundle, Tokenizer tokenizer) {
        super(bundle);
        this.tokenizer = tokenizer;
    }

    /** Ids of a text, with the special tokens the checkpoint's tokenizer adds. */
    public int[] encode(String text) {
        return Prompts.encode(tokenizer, text, true, promptLimit()).ids;
    }

    /** Text of ids, without special tokens. */
    public String decode(int[] ids) {
        return Prompts.decoded(tokenizer, checked(ids));
    }

    public final Generation generate(String prompt) {
        return generate(prompt, null, null);
    }

    public final Generation generate(String prompt, Map<String, ?> options) {
        return generate(prompt, options, null);
    }

    /**
     * Generates after a prompt.
     *
     * @param cancel stops it from another thread, also in the middle of a step; null: nothing does
     */
    public final Generation generate(String prompt, Map<String, ?> options, Cancel cancel) {
        return single(prompt, options, cancel);
    }

    /** As with a text, after ids. */
    public final Generation generate(int[] prompt, Map<String, ?> options, Cancel cancel) {
        return single(prompt, options, cancel);
    }

    /** Generates after each of a list of prompts (String or int[]) in one batch: each what its prompt gives alone. */
    public final List<Generation> generate(List<?> prompts, Map<String, ?> options, Cancel cancel) {
        Asked asked = new Asked(options, manifest);
        if (options != null && options.get("n_best") != null) {
            throw SatchelException.usage("n_best gives several texts for a prompt: use nBest");
        }
        List<Generation> generations = new ArrayList<Generation>();
        for (List<Generation> found : written(prompts, asked, cancel)) {
            generations.add(found.get(0));
        }
        return generations;
    }

    /** The "n_best" texts of a beam search for each of a list of prompts, the best first. */
    public final List<List<Generation>> nBest(List<?> prompts, Map<String, ?> options, Cancel cancel) {
        return written(prompts, new Asked(options, manifest), cancel);
    }

    /** Generates after a prompt piece by piece: the listener is told each, the result is all of it. */
    public final Generation stream(
            String prompt, Map<String, ?> options, Cancel cancel, TextListener listener) {
        return streamed(prompt, options, cancel, listener);
    }

    /** As with a text, after ids. */
    public final Generation stream(int[] prompt, Map<String, ?> options, Cancel cancel, TextListener listener) {
        return streamed(prompt, options, cancel, listener);
    }

    private Generation single(Object prompt, Map<String, ?> options, Cancel cancel) {
        return generate(Collections.singletonList(prompt), options, cancel).get(0);
    }

    private Generation streamed(Object prompt, Map<String, ?> options, Cancel cancel, TextListener listener) {
        Asked asked = new Asked(options, manifest);
        asked.checkStreamable();
        List<int[]> read = ids(Collections.singletonList(prompt));
        TextBatch batch = batch(read, asked, false, listener);
        write(batch, lease(read, cancel == null ? new Cancel() : cancel));
        return batch.results().get(0);
    }

    /** What is written after each prompt, the best first. */
    private List<List<Generation>> written(List<?> prompts, Asked asked, Cancel cancel) {
        Cancel stopping = cancel == null ? new Cancel() : cancel;
        if (asked.options.numBeams > 1) {
            return searched(prompts, asked, stopping);
        }
        List<int[]> read = ids(prompts);
        TextBatch batch = batch(read, asked, true, null);
        write(batch, lease(read, stopping));
        List<List<Generation>> written = new ArrayList<List<Generation>>();
        for (Generation generation : batch.results()) {
            written.add(Collections.singletonList(generation));
        }
        return written;
    }

    /** What beams find for each prompt. */
    private List<List<Generation>> searched(List<?> prompts, Asked asked, Cancel cancel) {
        asked.checkSearchable();
        List<int[]> read = ids(prompts);
        List<Search> searches = new ArrayList<Search>();
        for (int[] prompt : read) {
            Beginning from = new Beginning(prompt, asked);
            searches.add(new Search(from.before, from.processors, from.limit));
        }
        Lease lease = lease(read, cancel);
        boolean well = false;
        try {
            Beams.search(lease.begin(), searches, asked.options, manifest.tokens.eos);
            well = true;
        } catch (SatchelException error) {
            if (!error.code.equals("CANCELLED")) {
                throw error;
            }
            for (Search search : searches) { // before the first token: Beams minds the rest
                search.found.clear();
                search.found.add(new Hypothesis(new int[0], 0, "cancelled"));
            }
        } finally {
            lease.end(well);
        }
        int most = asked.options.nBest == null ? 1 : asked.options.nBest;
        List<List<Generation>> results = new ArrayList<List<Generation>>();
        for (int prompt = 0; prompt < searches.size(); ++prompt) {
            List<Generation> best = new ArrayList<Generation>();
            List<Hypothesis> found = searches.get(prompt).found;
            for (Hypothesis one : found.subList(0, Math.min(most, found.size()))) {
                String text = Prompts.decoded(tokenizer, one.tokens);
                best.add(Generation.of(one, text, read.get(prompt).length));
            }
            results.add(best);
        }
        return results;
    }

    /** Rows for prompts, of which the listener (null: nobody) is told the text. */
    final TextBatch batch(List<int[]> prompts, Asked asked, boolean logprobs, TextListener listener) {
        Row[] rows = new Row[prompts.size()];
        for (int row = 0; row < rows.length; ++row) {
            int[] prompt = prompts.get(row);
            Beginning from = new Beginning(prompt, asked);
            Sampler sampler = new Sampler(asked.options, from.processors);
            rows[row] = new Row(from.before, sampler, from.limit, prompt.length, logprobs);
        }
        rows[0].lookup = lookup(asked.options, prompts);
        return new TextBatch(tokenizer, rows, asked.stop, listener);
    }

    /** Generates all of a batch. */
    final void write(TextBatch batch, Lease lease) {
        boolean well = false;
        try {
            batch.write(lease.begin(), manifest.tokens.eos);
            well = true;
        } catch (SatchelException error) {
            if (!error.code.equals("CANCELLED")) {
                throw error;
            }
            batch.cancelled(); // before the first token: the loop minds the rest
        } finally {
            lease.end(well);
        }
    }

    /** For a single text, where it was asked for or surely changes nothing. */
    private Lookup lookup(Options options, List<int[]> prompts) {
        boolean wanted = options.lookup == null ? manifest.readsAheadExactly() : options.lookup;
        if (prompts.size() > 1 && options.lookup != null && options.lookup) {
            throw SatchelException.usage("lookup is for one prompt at a time; got " + prompts.size());
        }
        return wanted && prompts.size() == 1 ? new Lookup(prompts.get(0)) : null;
    }

    /** What the decoder begins with for a prompt, its processors, and how many ids it may add. */
    private final class Beginning {
        final int[] before;
        final List<Processor> processors;
        final int limit;

        Beginning(int[] prompt, Asked asked) {
            before = before(prompt);
            limit = asked.limit(before.length);
            processors = Processors.of(
                    asked.options, manifest.vocabSize, manifest.tokens.eos, before.length, limit, prompt);
        }
    }

    /** A run for some prompts: begun before it is used, and ended once behind it, however it began. */
    abstract static class Lease {
        abstract DecoderRun begin();

        /** `well`: the run may be used again. */
        abstract void end(boolean well);
    }

    /** Tokens that a prompt may have. */
    abstract int promptLimit();

    /** The ids that the decoder's text begins with, for the ids of a prompt. */
    abstract int[] before(int[] prompt);

    /** A run for the ids of these prompts. */
    abstract Lease lease(List<int[]> prompts, Cancel cancel);

    final List<int[]> ids(List<?> prompts) {
        if (prompts.isEmpty()) {
            throw SatchelException.usage("the prompt is empty", "EMPTY_PROMPT");
        }
        List<int[]> ids = new ArrayList<int[]>();
        for (Object prompt : prompts) {
            ids.add(ids(prompt));
        }
        return ids;
    }

    /** The ids of a prompt, a text or ids. */
    final int[] ids(Object prompt) {
        int[] ids;
        if (prompt instanceof String) {
            ids = ((String) prompt).isEmpty() ? new int[0] : encode((String) prompt);
        } else if (prompt instanceof int[]) {
            ids = checked((int[]) prompt);
        } else {
            String kind = prompt == null ? "nothing" : prompt.getClass().getSimpleName();
            throw SatchelException.usage("expected a text or ids, got " + kind);
        }
        if (ids.length == 0) {
            throw SatchelException.usage("the prompt is empty", "EMPTY_PROMPT");
        }
        return ids;
    }

    /** A copy of the caller's ids. Throws TOKEN_ID at the first that the model does not have. */
    final int[] checked(int[] ids) {
        for (int place = 0; place < ids.length; ++place) {
            if (ids[place] < 0 || ids[place] >= manifest.vocabSize) {
                throw SatchelException.usage(
                        "id " + ids[place] + " at index " + place + " is not a whole number in 0.."
                                + (manifest.vocabSize - 1),
                        "TOKEN_ID");
            }
        }
        return ids.clone();
    }
}
