package satchel.tokenizer;

/** A text, or two, as ids. All arrays are of one length, an entry a token. */
public final class Encoding {
    public final int[] ids;

    /** 0 or 1, or what the tokenizer's template says. */
    public final int[] typeIds;

    /** Where a token begins in the text it is of, in code points. Special tokens around a text have 0. */
    public final int[] starts;

    /** Where a token ends, in code points. */
    public final int[] ends;

    /** The number of the word that a token is of, -1 for special tokens around a text. */
    public final int[] words;

    /** The number of the text that a token is of, 0 or 1; -1 for special tokens around a text. */
    public final int[] sequences;

    Encoding(int[] ids, int[] typeIds, int[] starts, int[] ends, int[] words, int[] sequences) {
        this.ids = ids;
        this.typeIds = typeIds;
        this.starts = starts;
        this.ends = ends;
        this.words = words;
        this.sequences = sequences;
    }

    /** How many tokens. */
    public int size() {
        return ids.length;
    }
}
