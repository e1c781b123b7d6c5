package satchel.generate;

import satchel.Cancel;

/** A batch of texts in progress over a decoder graph. All logits are those of the next id, a row each. */
public interface Run {
    /** How many texts. */
    int rows();

    int vocabSize();

    /** Ids that a text has so far. */
    int length(int row);

    Cancel cancel();

    /** Reads a first prompt for each text; the logits behind each. */
    Logits prefill(int[][] prompts);

    /** Adds ids to a single text; the logits behind the last. */
    Logits append(int[] ids);

    /** Adds a few ids to a single text; the logits behind each. */
    Logits read(int[] ids);

    /** Adds an id to each text; those that are not active (null: all are) keep their length. */
    Logits step(int[] tokens, boolean[] active);

    /** Rolls a single text back to what it shares with a prompt; gives what is left to append, at least one. */
    int[] reuse(int[] prompt);

    /** Lets a single text end after its first ids. */
    void rewind(int length);

    /** Lets text i go on from text rows[i], of which it holds the first shared[i] positions already. */
    void reorder(int[] rows, int[] shared);
}
