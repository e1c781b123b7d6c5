package satchel.generate;

/** A text that a search found: its new ids without the end of text, and its score. */
public final class Hypothesis {
    public final int[] tokens;
    public final double score;

    /** "eos", "length" or "cancelled". */
    public final String finishReason;

    public Hypothesis(int[] tokens, double score, String finishReason) {
        this.tokens = tokens;
        this.score = score;
        this.finishReason = finishReason;
    }
}
