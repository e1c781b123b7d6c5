package satchel;

import java.util.Map;

/**
 * The likeliest label of a text or image, its score, and the scores of all labels in the order of the bundle; of
 * several labels with one name (ImageNet has two cranes) the greatest.
 */
public final class Classification {
    public final String label;
    public final double score;
    public final Map<String, Double> scores;

    public Classification(String label, double score, Map<String, Double> scores) {
        this.label = label;
        this.score = score;
        this.scores = scores;
    }
}
