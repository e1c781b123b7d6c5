package satchel;

/**
 * A piece of a text, with a label and its score. {@link #start} up to {@link #end} are code points of the text, as
 * in Python; {@link String#offsetByCodePoints} makes indices of a Java string of them.
 */
public final class Span {
    public final String label;
    public final String text;
    public final int start;
    public final int end;
    public final double score;

    public Span(String label, String text, int start, int end, double score) {
        this.label = label;
        this.text = text;
        this.start = start;
        this.end = end;
        this.score = score;
    }
}
