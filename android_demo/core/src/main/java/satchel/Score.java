package satchel;

/** How likely a text is: {@code logprobs[i]} is that of {@code tokens[i + 1]} after those before it. */
public final class Score {
    public final int[] tokens;

    /** Natural logarithms of probabilities. */
    public final float[] logprobs;

    Score(int[] tokens, float[] logprobs) {
        this.tokens = tokens;
        this.logprobs = logprobs;
    }

    /** Exponential of the mean negative log-probability. */
    public double perplexity() {
        double sum = 0;
        for (float logprob : logprobs) {
            sum += logprob;
        }
        return Math.exp(-sum / logprobs.length);
    }
}
