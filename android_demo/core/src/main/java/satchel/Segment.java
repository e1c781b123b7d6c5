package satchel;

/** A piece of a transcript, from {@link #start} to {@link #end} in seconds; its ids as they were written. */
public final class Segment {
    public final double start;
    public final double end;
    public final String text;
    public final int[] tokens;

    public Segment(double start, double end, String text, int[] tokens) {
        this.start = start;
        this.end = end;
        this.text = text;
        this.tokens = tokens;
    }
}
