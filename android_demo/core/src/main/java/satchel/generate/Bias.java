package satchel.generate;

import java.util.Arrays;
import java.util.List;

/** Adds to the scores of some ids, and of ids that would end one of some sequences. */
final class Bias implements Processor {
    private final int[] ids; // each once
    private final float[] values; // what is always added
    private final int[][] before; // of each sequence, the ids before its last
    private final int[] last; // places of the last ids among `ids`
    private final float[] sequenceValues;
    private final float[] sums;

    /** Sequences have two ids or more. */
    Bias(int[] alone, float[] values, List<int[]> sequences, float[] sequenceValues) {
        int[] all = Arrays.copyOf(alone, alone.length + sequences.size());
        int count = alone.length;
        before = new int[sequences.size()][];
        last = new int[sequences.size()];
        for (int i = 0; i < last.length; ++i) {
            int[] sequence = sequences.get(i);
            before[i] = Arrays.copyOf(sequence, sequence.length - 1);
            int id = sequence[sequence.length - 1];
            int place = 0;
            while (place < count && all[place] != id) {
                ++place;
            }
            if (place == count) {
                all[count++] = id;
            }
            last[i] = place;
        }
        ids = Arrays.copyOf(all, count);
        this.values = Arrays.copyOf(values, count);
        this.sequenceValues = sequenceValues;
        sums = new float[count];
    }

    @Override
    public void change(float[] scores, int at, int size, int[] text, int length, int fresh) {
        System.arraycopy(values, 0, sums, 0, sums.length); // added up first, which rounds as transformers does
        for (int i = 0; i < last.length; ++i) {
            if (Texts.endsWith(text, length, before[i])) {
                sums[last[i]] += sequenceValues[i];
            }
        }
        for (int i = 0; i < ids.length; ++i) {
            scores[at + ids[i]] += sums[i];
        }
    }

    @Override
    public boolean relative() {
        return true;
    }
}
