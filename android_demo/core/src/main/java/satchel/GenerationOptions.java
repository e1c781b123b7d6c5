package satchel;

import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Options of a generation by their names in Python, which are those of transformers: a map with shorthands for the
 * most usual. Others, from "typical_p" to "bad_words_ids", are put in by name, as {@code with("typical_p", 0.9)}.
 */
public final class GenerationOptions extends LinkedHashMap<String, Object> {
    private static final long serialVersionUID = 1L;

    public GenerationOptions() {}

    public GenerationOptions(Map<String, ?> options) {
        super(options);
    }

    /** Any option, by its name. */
    public GenerationOptions with(String name, Object value) {
        put(name, value);
        return this;
    }

    /** New tokens at most. */
    public GenerationOptions maxNewTokens(int count) {
        return with("max_new_tokens", count);
    }

    /** As many new tokens as the context holds. */
    public GenerationOptions untilContextIsFull() {
        return with("max_new_tokens", null);
    }

    /** 0 is greedy; above 1 is wilder. */
    public GenerationOptions temperature(double value) {
        return with("temperature", value);
    }

    /** Choose among the likeliest tokens, so many. */
    public GenerationOptions topK(int count) {
        return with("top_k", count);
    }

    /** Choose among the likeliest tokens that make up this share of probability. */
    public GenerationOptions topP(double share) {
        return with("top_p", share);
    }

    /** Leave out tokens less likely than this part of the likeliest. */
    public GenerationOptions minP(double part) {
        return with("min_p", part);
    }

    /** Of the random choice: the same text for the same seed. */
    public GenerationOptions seed(long seed) {
        return with("seed", seed);
    }

    /** Search with so many beams. */
    public GenerationOptions numBeams(int count) {
        return with("num_beams", count);
    }

    /** Above 1 avoids tokens that were there already. */
    public GenerationOptions repetitionPenalty(double penalty) {
        return with("repetition_penalty", penalty);
    }

    /** No so many tokens in a row occur twice. */
    public GenerationOptions noRepeatNgramSize(int size) {
        return with("no_repeat_ngram_size", size);
    }

    /** Read ahead what repeats the prompt or the text: the same text, in fewer steps. */
    public GenerationOptions lookup(boolean on) {
        return with("lookup", on);
    }

    /** Texts to end at, before them; none: not even at those that the bundle recommends. */
    public GenerationOptions stop(String... texts) {
        return with("stop", Arrays.asList(texts));
    }
}
