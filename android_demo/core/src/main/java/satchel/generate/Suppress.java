package satchel.generate;

/** Rules out ids while the number of new ones is from `first` to `last`. */
final class Suppress implements Processor {
    private final int[] ids;
    private final int first;
    private final int last;

    Suppress(int[] ids, int first, int last) {
        this.ids = ids;
        this.first = first;
        this.last = last;
    }

    @Override
    public void change(float[] scores, int at, int size, int[] text, int length, int fresh) {
        if (first <= fresh && fresh <= last) {
            for (int id : ids) {
                scores[at + id] = Float.NEGATIVE_INFINITY;
            }
        }
    }

    @Override
    public boolean relative() {
        return true;
    }
}
