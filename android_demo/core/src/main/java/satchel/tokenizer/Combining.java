package satchel.tokenizer;

/** Combining classes, and what decomposes: what normal forms of Unicode go by. */
final class Combining {
    private static final Runs RANKS = new Runs(UnicodeTables.RANKS);
    private static final Runs DECOMPOSING = new Runs(UnicodeTables.DECOMPOSING);

    private Combining() {}

    /** The combining class, 0 for what begins a letter. */
    static int rank(int c) {
        return c < 0x300 ? 0 : RANKS.of(c);
    }

    /** Whether a character decomposes. */
    static boolean decomposes(int c, boolean compatibly) {
        int kind = DECOMPOSING.of(c);
        return kind == 1 || (compatibly && kind == 2);
    }
}
