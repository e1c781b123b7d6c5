package satchel.speech;

import satchel.generate.Processor;

/** The rules of timestamps over the scores of a text's next id. */
public final class TimeRules implements Processor {
    private final Timestamps timestamps;

    public TimeRules(Timestamps timestamps) {
        this.timestamps = timestamps;
    }

    @Override
    public void change(float[] scores, int at, int size, int[] text, int length, int fresh) {
        timestamps.rule(scores, at, size, text, length - fresh, length);
    }

    @Override
    public boolean relative() {
        // Chances are compared with one another; that they may all be higher by one number changes their last bits.
        return false;
    }
}
