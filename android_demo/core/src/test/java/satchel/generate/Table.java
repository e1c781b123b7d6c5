package satchel.generate;

/** Logits made of a number, the same in Java and in the Python that wrote the cases. */
final class Table {
    private static final long GOLDEN = 0x9E3779B97F4A7C15L;
    private static final long STRIDE = 0xD1B54A32D192ED03L;

    private Table() {}

    static void fill(float[] logits, int at, int size, long seed, double scale, double quantum) {
        for (int i = 0; i < size; ++i) {
            long z = seed * GOLDEN + i * STRIDE;
            double total = -1.5;
            for (int part = 0; part < 3; ++part) {
                z = mixed(z + GOLDEN);
                total += (z >>> 11) * (1.0 / (1L << 53));
            }
            double value = total * scale;
            logits[at + i] = (float) (quantum == 0 ? value : Math.floor(value / quantum) * quantum);
        }
    }

    private static long mixed(long z) {
        z = (z ^ (z >>> 30)) * 0xBF58476D1CE4E5B9L;
        z = (z ^ (z >>> 27)) * 0x94D049BB133111EBL;
        return z ^ (z >>> 31);
    }

    /** A number made of the ids from `from` on. */
    static long hash(long seed, int[] ids, int from, int to) {
        long value = seed;
        for (int i = from; i < to; ++i) {
            value = (value ^ (ids[i] + 1)) * GOLDEN;
            value ^= value >>> 29;
        }
        return value;
    }
}
