package satchel;

/** A passage's place in the list it came from, and how well it answers the query. */
public final class Ranked {
    public final int index;
    public final double score;

    public Ranked(int index, double score) {
        this.index = index;
        this.score = score;
    }
}
