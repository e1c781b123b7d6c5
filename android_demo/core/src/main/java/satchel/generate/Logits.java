package satchel.generate;

/** Scores of next ids: row r lies at r * size. The next call of the run that gave them overwrites them. */
public final class Logits {
    public final float[] values;
    public final int rows;
    public final int size;

    public Logits(float[] values, int rows, int size) {
        this.values = values;
        this.rows = rows;
        this.size = size;
    }
}
