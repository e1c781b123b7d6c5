package satchel.tokenizer;

/** A token that is cut out of a text before anything else is done to it. */
public final class AddedToken {
    public final int id;
    public final String content;

    /** Whether decoding leaves it out when asked for text without special tokens. */
    public final boolean special;

    /** Whether it takes the white space before it. */
    public final boolean lstrip;

    /** Whether it takes the white space behind it. */
    public final boolean rstrip;

    /** Whether it is looked for in the normalised text, normalised itself. */
    public final boolean normalized;

    /** Whether it counts only where no letter, digit or underscore touches it. */
    public final boolean singleWord;

    public AddedToken(
            int id, String content, boolean special, boolean lstrip, boolean rstrip, boolean normalized, boolean singleWord) {
        this.id = id;
        this.content = content;
        this.special = special;
        this.lstrip = lstrip;
        this.rstrip = rstrip;
        this.normalized = normalized;
        this.singleWord = singleWord;
    }

    /** The same token under another id. */
    AddedToken withId(int other) {
        return other == id ? this : new AddedToken(other, content, special, lstrip, rstrip, normalized, singleWord);
    }

    /** Whether all but the ids are the same. */
    boolean sameAs(AddedToken other) {
        return content.equals(other.content) && special == other.special && lstrip == other.lstrip
                && rstrip == other.rstrip && normalized == other.normalized && singleWord == other.singleWord;
    }

    @Override
    public String toString() {
        return content + " (" + id + ")";
    }
}
