package satchel;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import satchel.bundle.Bundle;
import satchel.decoder.DecoderRun;
import satchel.decoder.DecoderSession;
import satchel.decoder.Probe;
import satchel.decoder.SampleAnswers;
import satchel.decoder.SourceEncoder;
import satchel.decoder.Sources;
import satchel.decoder.Workloads;
import satchel.generate.Generation;
import satchel.ort.Session;
import satchel.ort.Sessions;
import satchel.text.Whitespace;

/**
 * A loaded encoder-decoder bundle; a prompt is a source, the text its target. Safe to use from several threads.
 */
public final class Seq2seqModel extends TextModel {
    private final Session reading;
    private final Session writing;
    private final SourceEncoder encoder;
    private final DecoderSession decoder;
    private final Languages languages;
    private final int start; // the id that targets begin with

    Seq2seqModel(Bundle bundle, Sessions sessions) {
        super(bundle);
        reading = sessions.take("encoder");
        try {
            writing = sessions.take("decoder");
        } catch (RuntimeException error) {
            reading.close();
            throw error;
        }
        encoder = new SourceEncoder(reading, manifest);
        decoder = new DecoderSession(writing, manifest);
        languages = new Languages(manifest);
        start = manifest.seq2seq.start;
    }

    /** Another model, which shares all but how targets begin. */
    private Seq2seqModel(Seq2seqModel other, int start) {
        super(other.bundle, other.tokenizer);
        reading = other.reading;
        writing = other.writing;
        encoder = other.encoder;
        decoder = other.decoder;
        languages = other.languages;
        this.start = start;
    }

    /** Ids of a source, in the language that the checkpoint takes for granted. */
    @Override
    public int[] encode(String text) {
        return encodeSource(text, null, null);
    }

    /** Ids of a source with what tells the model its languages; USAGE for one it lacks. */
    public int[] encodeSource(String text, String sourceLang, String targetLang) {
        return languages.encode(tokenizer, text, sourceLang, targetLang);
    }

    /** A text in another language, named as the checkpoint names them; null is its own default. */
    public String translate(String text, String sourceLang, String targetLang, Map<String, ?> options) {
        return translate(Collections.singletonList(text), sourceLang, targetLang, options, null).get(0);
    }

    /** A list of texts in one batch. A blank text stays blank. Options are those of generate, without n_best. */
    public List<String> translate(
            List<String> texts, String sourceLang, String targetLang, Map<String, ?> options, Cancel cancel) {
        List<int[]> sources = new ArrayList<int[]>();
        boolean[] blank = new boolean[texts.size()];
        for (int i = 0; i < blank.length; ++i) {
            blank[i] = texts.get(i) != null && Whitespace.stripped(texts.get(i)).isEmpty();
            int[] source = blank[i] ? new int[0] : encodeSource(texts.get(i), sourceLang, targetLang);
            blank[i] = source.length == 0;
            if (!blank[i]) {
                sources.add(source);
            }
        }
        List<Generation> written = targets(sources, targetLang, options, cancel);
        List<String> translations = new ArrayList<String>();
        int next = 0;
        for (boolean stays : blank) {
            translations.add(stays ? "" : written.get(next++).text);
        }
        return translations;
    }

    /** The targets of sources in the ids of {@link #encodeSource}, in one batch. */
    public List<Generation> targets(
            List<int[]> sources, String targetLang, Map<String, ?> options, Cancel cancel) {
        if (options != null && options.get("n_best") != null) {
            throw SatchelException.usage("n_best does not apply: a translation is one text; use generate");
        }
        languages.requireTarget(targetLang);
        if (sources.isEmpty()) {
            return Collections.emptyList();
        }
        Map<String, Object> asked = new LinkedHashMap<String, Object>();
        Integer forced = languages.forcedFirstToken(targetLang);
        if (forced != null) {
            asked.put("forced_bos_token_id", forced);
        }
        if (options != null) {
            for (Map.Entry<String, ?> entry : options.entrySet()) {
                // Here too the null of max_new_tokens says something.
                if (entry.getValue() != null || entry.getKey().equals("max_new_tokens")) {
                    asked.put(entry.getKey(), entry.getValue());
                }
            }
        }
        Integer begin = languages.start(targetLang);
        TextModel model = begin == null ? this : new Seq2seqModel(this, begin);
        return model.generate(sources, asked, cancel);
    }

    /**
     * [1 + length][vocab]: before each token of a target, text or ids (String or int[], as the source), and behind
     * the last, the logits of the next.
     */
    public float[][] logits(Object source, Object target) {
        int[] begun = {start};
        if (!(target instanceof String) || !((String) target).isEmpty()) {
            int[] ids = target instanceof int[] ? checked((int[]) target) : ids(target);
            begun = Arrays.copyOf(begun, 1 + ids.length);
            System.arraycopy(ids, 0, begun, 1, ids.length);
        }
        Sources sources = encoder.read(new int[][] {ids(source)}, null);
        try {
            return decoder.reading(sources).logits(begun);
        } finally {
            sources.close();
        }
    }

    @Override
    public List<SampleAnswer> sampleAnswers() {
        Probe probe = Probe.of(manifest);
        final int[] source = Probe.source(manifest);
        final int[] longer = new int[Math.min(2 * source.length, encoder.context)]; // for company
        for (int i = 0; i < longer.length; ++i) {
            longer[i] = source[i % source.length];
        }
        return SampleAnswers.ofTarget(decoder, new SampleAnswers.Reader() {
            @Override
            public Sources read(int... which) {
                int[][] rows = new int[which.length][];
                for (int row = 0; row < rows.length; ++row) {
                    rows[row] = which[row] == 0 ? source : longer;
                }
                return encoder.read(rows, null);
            }
        }, probe);
    }

    @Override
    public List<Workload> workloads() {
        return Workloads.translating(encoder, decoder, start);
    }

    @Override
    public boolean firstToken() {
        int[] source = Workloads.someIds(manifest.vocabSize, Math.min(Workloads.SOURCE, encoder.context));
        Sources sources = encoder.read(new int[][] {source}, null);
        try {
            DecoderRun run = decoder.reading(sources).start(1, new Cancel());
            try {
                run.append(new int[] {start});
            } finally {
                run.close();
            }
        } finally {
            sources.close();
        }
        return true;
    }

    @Override
    public int threads() {
        return writing.threads;
    }

    @Override
    int promptLimit() {
        return encoder.context;
    }

    @Override
    int[] before(int[] prompt) {
        encoder.checked(prompt);
        return new int[] {start};
    }

    /** The sources are read only when the generation begins, and can be cancelled. */
    @Override
    Lease lease(final List<int[]> prompts, final Cancel cancel) {
        return new Lease() {
            private Sources sources;
            private DecoderRun run;

            @Override
            DecoderRun begin() {
                sources = encoder.read(prompts.toArray(new int[0][]), cancel);
                run = decoder.reading(sources).start(prompts.size(), cancel);
                return run;
            }

            @Override
            void end(boolean well) {
                if (run != null && well) {
                    run.release();
                }
                if (run != null) {
                    run.close();
                }
                if (sources != null) {
                    sources.close();
                }
            }
        };
    }

    @Override
    public void close() {
        decoder.close();
        reading.close();
        writing.close();
    }
}
