package satchel.generate;

/** Changes the scores of a text's next id. Scores are logits, or in a beam search log-probabilities. */
public interface Processor {
    /**
     * Changes the scores of all ids, scores[at] to scores[at + size - 1], in place.
     *
     * @param text holds the text so far, its first `length` ids
     * @param fresh how many of the text's last ids are new
     */
    void change(float[] scores, int at, int size, int[] text, int length, int fresh);

    /**
     * Whether it does to scores what it does to scores that are all higher by one number: in a beam search, logits
     * serve it then as log-probabilities do.
     */
    boolean relative();
}
