package satchel.generate;

import java.util.Arrays;

/** Rules out all ids but some, which get 0, when the number of new ones is `when`. */
final class Force implements Processor {
    private final int[] ids;
    private final int when;

    Force(int[] ids, int when) {
        this.ids = ids;
        this.when = when;
    }

    @Override
    public void change(float[] scores, int at, int size, int[] text, int length, int fresh) {
        if (fresh == when) {
            Arrays.fill(scores, at, at + size, Float.NEGATIVE_INFINITY);
            for (int id : ids) {
                scores[at + id] = 0;
            }
        }
    }

    @Override
    public boolean relative() {
        return false;
    }
}
