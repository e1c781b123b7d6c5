package satchel;

import java.io.File;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import satchel.bundle.Bundle;
import satchel.encoder.EncoderSamples;
import satchel.encoder.EncoderSession;
import satchel.encoder.EncoderSession.Result;
import satchel.encoder.EncoderWorkloads;
import satchel.encoder.ImageFormat;
import satchel.encoder.Preparation;
import satchel.encoder.Readings;
import satchel.encoder.Scores;
import satchel.ort.Session;
import satchel.ort.Sessions;
import satchel.text.Whitespace;
import satchel.tokenizer.Tokenizer;

/**
 * A loaded encoder bundle. Safe to use from several threads. A text gives the same alone and among others. Methods
 * that take a list keep its order; an empty list gives an empty result. A method that does not fit the bundle's task
 * throws WRONG_TASK.
 */
public final class EncoderModel extends Model implements Measured {
    private static final String STATES = "last_hidden_state";
    private static final int TOP = 5; // of answers and fillings, where nobody says
    private static final int LONGEST = 30; // tokens of an answer, where nobody says

    private final Map<String, EncoderSession> graphs = new LinkedHashMap<String, EncoderSession>();
    private final Preparation preparation; // null for images alone
    private final Readings readings;
    private final ImageFormat images; // null for texts alone

    EncoderModel(Bundle bundle, Sessions sessions) {
        super(bundle);
        boolean made = false;
        try {
            for (String role : manifest.graphs.keySet()) {
                Session session = sessions.take(role);
                graphs.put(role, new EncoderSession(session, manifest.graphs.get(role), manifest.vocabSize));
            }
            File tokenizer = bundle.file(Bundle.TOKENIZER);
            preparation = manifest.text == null ? null : new Preparation(manifest, Tokenizer.read(tokenizer));
            readings = preparation == null ? null : new Readings(preparation, graphs.get("encoder"), manifest.labels);
            images = manifest.image == null ? null : new ImageFormat(manifest.image);
            made = true;
        } finally {
            if (!made) {
                close();
            }
        }
    }

    /** Who hears that a text was cut; by default it is written to the standard error. */
    public void setWarnings(Warnings warnings) {
        if (preparation != null) {
            preparation.setWarnings(warnings);
        }
    }

    /** float32 [dim] of a text. */
    public float[] embed(String text) {
        return embed(Collections.singletonList(text))[0];
    }

    /** float32 [n][dim] of n texts. */
    public float[][] embed(List<String> texts) {
        return embed(texts, null, null);
    }

    /**
     * float32 [n][dim] of n texts, at unit length where the checkpoint says so.
     *
     * @param prompt names one of the bundle's prompts; null for the default one
     * @param window null: a long text is cut, with a warning; else pieces that overlap by so many tokens are averaged
     *     by length
     */
    public float[][] embed(List<String> texts, String prompt, Integer window) {
        require("embed");
        List<int[]> rows = new ArrayList<int[]>();
        List<Integer> owners = new ArrayList<Integer>();
        final int[] lengths = new int[texts.size()];
        int[] parts = new int[texts.size()];
        for (int owner = 0; owner < lengths.length; ++owner) {
            for (int[] row : preparation.rows(texts.get(owner), prompt, window)) {
                rows.add(row);
                owners.add(owner);
                lengths[owner] += row.length;
                parts[owner] += 1;
            }
        }
        EncoderSession encoder = textEncoder();
        int[] prompts = null;
        if (encoder.reads(EncoderSession.PROMPT_MASK)) { // it stands before the first piece of each text
            prompts = new int[rows.size()];
            int length = preparation.promptLength(prompt);
            for (int i = 0; i < prompts.length; ++i) {
                prompts[i] = i == 0 || !owners.get(i).equals(owners.get(i - 1)) ? length : 0;
            }
        }
        final float[][] vectors = new float[lengths.length][encoder.answerSize];
        final int[][] ids = rows.toArray(new int[0][]);
        final Integer[] owner = owners.toArray(new Integer[0]);
        encoder.texts(ids, null, null, prompts, new EncoderSession.Reader() {
            @Override
            public void row(int index, Result result) {
                float part = (float) ((double) ids[index].length / lengths[owner[index]]);
                float[] vector = vectors[owner[index]];
                float[] found = result.all();
                for (int i = 0; i < vector.length; ++i) {
                    vector[i] += found[i] * part;
                }
            }
        });
        for (int i = 0; manifest.text.normalized && i < vectors.length; ++i) {
            if (parts[i] > 1) {
                Scores.toUnitLength(vectors[i]);
            }
        }
        return vectors;
    }

    /** A Classification of a text. */
    public Classification classify(String text) {
        return classify(text, null, null);
    }

    /** A Classification of a pair of texts, or where {@code pair} is null of one; the prompt may be null. */
    public Classification classify(String text, String pair, String prompt) {
        List<String> pairs = pair == null ? null : Collections.singletonList(pair);
        return classify(Collections.singletonList(text), pairs, prompt).get(0);
    }

    /** A Classification of each text. */
    public List<Classification> classify(List<String> texts) {
        return classify(texts, null, null);
    }

    /**
     * A Classification of each text or pair.
     *
     * @param pairs the second texts, as many as there are first ones; null where there are none
     * @param prompt names one of the bundle's prompts to put before each text, or the first of a pair; null for the
     *     default one
     */
    public List<Classification> classify(List<String> texts, List<String> pairs, String prompt) {
        require("classify");
        if (pairs != null && pairs.size() != texts.size()) {
            throw SatchelException.usage(
                    texts.size() + " texts and " + pairs.size() + " second texts; expected as many");
        }
        return classifications(readings.logits(texts, pairs, prompt));
    }

    private List<Classification> classifications(float[][] logits) {
        List<Classification> found = new ArrayList<Classification>();
        for (float[] row : logits) {
            found.add(Scores.classification(row, manifest.labels.names, manifest.labels.scores));
        }
        return found;
    }

    /** Passages by how well they answer a query, best first, by a cross-encoder. */
    public List<Ranked> rank(String query, List<String> passages) {
        return rank(query, passages, null);
    }

    /** The same; {@code prompt} names one of the bundle's prompts to put before the query. */
    public List<Ranked> rank(String query, List<String> passages, String prompt) {
        require("rank");
        if (manifest.labels.names.size() != 1) {
            throw SatchelException.usage(
                    "ranking needs a bundle with one label; it has " + manifest.labels.names.size());
        }
        float[][] logits = readings.logits(Collections.nCopies(passages.size(), query), passages, prompt);
        float[] first = new float[logits.length];
        for (int i = 0; i < first.length; ++i) {
            first[i] = logits[i][0];
        }
        List<Ranked> ranked = new ArrayList<Ranked>();
        // By logits: where a sigmoid is 1 to the last bit, scores no longer tell which is the better.
        for (int index : Scores.descending(first, first.length)) {
            ranked.add(new Ranked(index, Scores.activated(logits[index], manifest.labels.scores)[0]));
        }
        return ranked;
    }

    /** Labelled spans of a text. Too long a one is cut, with a warning. */
    public List<Span> tokens(String text) {
        return tokens(Collections.singletonList(text), null).get(0);
    }

    /**
     * Labelled spans of each text.
     *
     * @param window null: too long a text is cut, with a warning; else it is read in pieces that overlap by so many
     *     tokens
     */
    public List<List<Span>> tokens(List<String> texts, Integer window) {
        require("tokens");
        return readings.spans(texts, window);
    }

    /** The span of a context that answers a question, of at most 30 tokens; see {@link #answers}. */
    public Answer answer(String question, String context) {
        require("answer");
        return answers(question, context, 1, LONGEST).get(0);
    }

    /** The five likeliest answers of at most 30 tokens. */
    public List<Answer> answers(String question, String context) {
        return answers(question, context, TOP, LONGEST);
    }

    /**
     * The {@code top} likeliest answers of at most {@code longest} tokens, likeliest first; one with empty text says
     * there is none. A context of any length is read in overlapping pieces.
     */
    public List<Answer> answers(String question, String context, int top, int longest) {
        require("answers");
        checkCount("top", top);
        checkCount("longest", longest);
        return readings.answers(question, context, top, longest);
    }

    /** The five likeliest tokens for the one mask in a text. */
    public List<Filled> fillMask(String text) {
        return fillMask(text, TOP);
    }

    /** The {@code top} likeliest tokens for the one mask in a text, likeliest first. */
    public List<Filled> fillMask(String text, int top) {
        require("fill_mask");
        checkCount("top", top);
        Integer mask = manifest.tokens.mask;
        if (mask == null) {
            throw SatchelException.usage("this bundle's tokenizer has no mask token");
        }
        String name = preparation.tokenizer.idToToken(mask);
        float[] scores = readings.chancesAt(text, mask, name);
        List<Filled> filled = new ArrayList<Filled>();
        for (int id : Scores.descending(scores, top)) {
            String token = Whitespace.stripped(preparation.tokenizer.decode(new int[] {id}, false));
            filled.add(new Filled(token, scores[id], text.replace(name, token)));
        }
        return filled;
    }

    /** float32 [length][hidden]: the last layer's states of a text, special tokens included. */
    public float[][] hiddenStates(String text) {
        require("hidden_states");
        return hiddenStates(preparation.rows(text, null, null).get(0));
    }

    /** The same of ids. Throws LIMIT where they are too many. */
    public float[][] hiddenStates(int[] ids) {
        require("hidden_states");
        if (ids.length > manifest.context) {
            throw SatchelException.limit(ids.length + " ids; the model takes " + manifest.context, "LIMIT");
        }
        EncoderSession.Kept kept = new EncoderSession.Kept(1);
        textEncoder().texts(new int[][] {ids}, null, STATES, null, kept);
        return kept.matrix(0, ids.length);
    }

    /** float32 [length][hidden]: the last layer's states of an image, class token first if any. */
    public float[][] imageHiddenStates(Picture image) {
        require("image_hidden_states");
        EncoderSession.Kept kept = new EncoderSession.Kept(1);
        graphs.get("image").pictures(images.pixels(image), images.height, images.width, STATES, kept);
        return kept.matrix(0, kept.rows[0].length / graphs.get("image").width(STATES));
    }

    /** float32 [n][dim] of images. */
    public float[][] embedImages(List<Picture> pictures) {
        require("embed_images");
        return imageAnswers(pictures);
    }

    /** A Classification of each image. */
    public List<Classification> classifyImages(List<Picture> pictures) {
        require("classify_images");
        return classifications(imageAnswers(pictures));
    }

    private float[][] imageAnswers(List<Picture> pictures) {
        float[][] rows = new float[pictures.size()][];
        for (int i = 0; i < rows.length; ++i) { // one alone is hundreds of patches already
            EncoderSession.Kept kept = new EncoderSession.Kept(1);
            graphs.get("image").pictures(images.pixels(pictures.get(i)), images.height, images.width, null, kept);
            rows[i] = kept.rows[0];
        }
        return rows;
    }

    private EncoderSession textEncoder() {
        EncoderSession text = graphs.get("text");
        return text != null ? text : graphs.get("encoder");
    }

    private static void checkCount(String name, int value) {
        if (value < 1) {
            throw SatchelException.usage(name + " = " + value + "; expected a whole number of at least 1");
        }
    }

    @Override
    public List<SampleAnswer> sampleAnswers() {
        return EncoderSamples.answers(manifest, graphs, images);
    }

    @Override
    public List<Workload> workloads() {
        return EncoderWorkloads.of(manifest, graphs, images);
    }

    @Override
    public boolean firstToken() {
        return false;
    }

    @Override
    public int threads() {
        return graphs.values().iterator().next().session.threads;
    }

    @Override
    public void close() {
        for (EncoderSession graph : graphs.values()) {
            graph.close();
        }
    }
}
