package satchel.generate;

import java.util.Arrays;
import java.util.List;

/** Rules out ids that would end one of some sequences. */
final class BadWords implements Processor {
    private final int[][] before;
    private final int[] last;

    BadWords(List<int[]> words) {
        before = new int[words.size()][];
        last = new int[before.length];
        for (int i = 0; i < before.length; ++i) {
            int[] word = words.get(i);
            before[i] = Arrays.copyOf(word, word.length - 1);
            last[i] = word[word.length - 1];
        }
    }

    @Override
    public void change(float[] scores, int at, int size, int[] text, int length, int fresh) {
        for (int i = 0; i < last.length; ++i) {
            if (Texts.endsWith(text, length, before[i])) {
                scores[at + last[i]] = Float.NEGATIVE_INFINITY;
            }
        }
    }

    @Override
    public boolean relative() {
        return true;
    }
}
