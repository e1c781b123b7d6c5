package satchel.generate;

import java.util.Arrays;

/** Raises the scores of the ends of a text by a part of their size that grows with each id beyond `start`. */
final class Decay implements Processor {
    private final int[] ends; // each once
    private final int start;
    private final double factor;

    Decay(int[] ends, int start, double factor) {
        int count = 0;
        int[] once = new int[ends.length];
        for (int end : ends) {
            boolean there = false;
            for (int i = 0; i < count; ++i) {
                there |= once[i] == end;
            }
            if (!there) {
                once[count++] = end;
            }
        }
        this.ends = Arrays.copyOf(once, count);
        this.start = start;
        this.factor = factor;
    }

    @Override
    public void change(float[] scores, int at, int size, int[] text, int length, int fresh) {
        if (fresh <= start) {
            return;
        }
        float part = (float) (Math.pow(factor, fresh - start) - 1);
        for (int end : ends) {
            float score = scores[at + end];
            if (Sums.isFinite(score)) {
                scores[at + end] = score + Math.abs(score) * part;
            }
        }
    }

    @Override
    public boolean relative() {
        return false;
    }
}
