package satchel;

import java.util.List;

/**
 * What was said in {@link #duration} seconds; {@link #language} is its code, null for a model of one language, and
 * where nothing was heard.
 */
public final class Transcript {
    public final String text;
    public final String language;
    public final double duration;
    public final List<Segment> segments;

    public Transcript(String text, String language, double duration, List<Segment> segments) {
        this.text = text;
        this.language = language;
        this.duration = duration;
        this.segments = segments;
    }
}
