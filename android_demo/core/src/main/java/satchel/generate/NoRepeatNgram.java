package satchel.generate;

/** Rules out ids that would end a sequence of some size which occurs in the text, or in a source. */
final class NoRepeatNgram implements Processor {
    private final int before; // ids of a sequence but its last
    private final int[] source; // null: the text

    NoRepeatNgram(int size, int[] source) {
        this.before = size - 1;
        this.source = source;
    }

    @Override
    public void change(float[] scores, int at, int size, int[] text, int length, int fresh) {
        int[] searched = source == null ? text : source;
        int ends = (source == null ? length : source.length) - before; // the places at which a sequence may end
        if (length < before) {
            return;
        }
        for (int i = 0; i < ends; ++i) {
            int same = 0;
            while (same < before && searched[i + same] == text[length - before + same]) {
                ++same;
            }
            if (same == before) {
                scores[at + searched[i + before]] = Float.NEGATIVE_INFINITY;
            }
        }
    }

    @Override
    public boolean relative() {
        return true;
    }
}
