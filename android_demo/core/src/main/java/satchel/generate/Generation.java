package satchel.generate;

import satchel.SatchelException;

/** One finished text. */
public final class Generation {
    /** Without special tokens and a stop string. */
    public final String text;

    /** The new ids, without the one that ends a text. */
    public final int[] tokens;

    /** "eos", "stop" (a stop string), "length" or "cancelled". */
    public final String finishReason;

    /**
     * The model's own log-probabilities of the tokens, before any option of sampling; a stream and a beam search leave
     * them out.
     */
    public final double[] logprobs;

    /** Tokens of the prompt, as the caller gave it. */
    public final int promptTokens;

    /** Of a beam search, by which the best is chosen; else null. */
    public final Double score;

    /** Tokens that were read ahead, each of them a step saved. */
    public final int lookedUp;

    public Generation(
            String text,
            int[] tokens,
            String finishReason,
            double[] logprobs,
            int promptTokens,
            Double score,
            int lookedUp) {
        this.text = text;
        this.tokens = tokens;
        this.finishReason = finishReason;
        this.logprobs = logprobs;
        this.promptTokens = promptTokens;
        this.score = score;
        this.lookedUp = lookedUp;
    }

    /** What became of a row, whose text is this. Throws USAGE while it goes on. */
    public static Generation of(Row row, String text) {
        String reason = row.finishReason;
        if (reason == null) {
            throw SatchelException.usage("the text is still being generated: iterate to its end first");
        }
        return new Generation(text, row.tokens(), reason, row.logprobs(), row.promptTokens, null, row.lookedUp);
    }

    /** What a search found, whose text is this. */
    public static Generation of(Hypothesis found, String text, int promptTokens) {
        double[] none = {};
        return new Generation(text, found.tokens, found.finishReason, none, promptTokens, found.score, 0);
    }
}
