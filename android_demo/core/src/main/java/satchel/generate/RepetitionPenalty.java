package satchel.generate;

/**
 * Divides positive and multiplies negative scores of ids that occurred, or that a source holds, once per id (Keskar et
 * al., 2019).
 */
final class RepetitionPenalty implements Processor {
    private final float penalty;
    private final int[] source; // null: the text
    private int[] seen = new int[0]; // by id, the round in which it was last
    private int round;

    RepetitionPenalty(double penalty, int[] source) {
        this.penalty = (float) penalty;
        this.source = source;
    }

    @Override
    public void change(float[] scores, int at, int size, int[] text, int length, int fresh) {
        if (seen.length < size) {
            seen = new int[size];
        }
        ++round;
        int[] ids = source == null ? text : source;
        int count = source == null ? length : source.length;
        for (int i = 0; i < count; ++i) {
            int id = ids[i];
            if (seen[id] != round) {
                seen[id] = round;
                float before = scores[at + id];
                scores[at + id] = before < 0 ? before * penalty : before / penalty;
            }
        }
    }

    @Override
    public boolean relative() {
        return false;
    }
}
