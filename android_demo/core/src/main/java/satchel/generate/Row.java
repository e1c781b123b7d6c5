package satchel.generate;

import java.util.Arrays;

/** One text of a batch being generated. Knows no graph. */
public final class Row {
    private static final int ROOM = 64; // ids, at first
    private static final double[] NONE = {};

    /** What the decoder has read before the first new id. */
    public final int[] prompt;

    public final Sampler sampler;

    /** New ids at most. */
    public final int limit;

    /** Ids of the caller's prompt. */
    public final int promptTokens;

    /**
     * Null while the text goes on, then "eos", "length", "stop" (set by whoever reads the text and found a stop string)
     * or "cancelled".
     */
    public volatile String finishReason;

    /** Of a single text: what it may go on with is read ahead; null: nothing is. */
    public Lookup lookup;

    /** New ids that were read ahead: as many steps were saved. */
    public int lookedUp;

    int[] text; // prompt and new ids
    int length;
    private double[] logprobs; // null: they are not collected

    /** A text to go on from a prompt; with `logprobs` the log-probabilities of its new ids are collected. */
    public Row(int[] prompt, Sampler sampler, int limit, int promptTokens, boolean logprobs) {
        this.prompt = prompt;
        this.sampler = sampler;
        this.limit = limit;
        this.promptTokens = promptTokens;
        text = Arrays.copyOf(prompt, prompt.length + ROOM);
        length = prompt.length;
        this.logprobs = logprobs ? new double[ROOM] : null;
    }

    /** How many new ids there are. */
    public int count() {
        return length - prompt.length;
    }

    /** The new ids, without what ended the text. */
    public int[] tokens() {
        return Arrays.copyOfRange(text, prompt.length, length);
    }

    /** The model's own log-probabilities of the new ids; empty where they are not collected. */
    public double[] logprobs() {
        return logprobs == null ? NONE : Arrays.copyOf(logprobs, count());
    }

    boolean collects() {
        return logprobs != null;
    }

    void add(int id, double logprob) {
        if (logprobs != null) {
            if (count() == logprobs.length) {
                logprobs = Arrays.copyOf(logprobs, 2 * logprobs.length);
            }
            logprobs[count()] = logprob;
        }
        if (length == text.length) {
            text = Arrays.copyOf(text, 2 * length);
        }
        text[length++] = id;
    }
}
