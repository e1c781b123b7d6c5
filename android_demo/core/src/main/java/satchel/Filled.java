package satchel;

/** A token for a masked place, its probability, and the text with it filled in. */
public final class Filled {
    public final String token;
    public final double score;
    public final String text;

    public Filled(String token, double score, String text) {
        this.token = token;
        this.score = score;
        this.text = text;
    }
}
