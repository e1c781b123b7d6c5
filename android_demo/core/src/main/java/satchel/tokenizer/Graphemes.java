package satchel.tokenizer;

/** Where what a reader takes for one character ends: extended grapheme clusters of UAX #29. */
final class Graphemes {
    private static final Runs BREAKS = new Runs(UnicodeTables.BREAKS);
    private static final int CR = 1;
    private static final int LF = 2;
    private static final int CONTROL = 3;
    private static final int EXTEND = 4;
    private static final int JOINER = 5;
    private static final int REGIONAL = 6;
    private static final int PREPEND = 7;
    private static final int SPACING = 8;
    private static final int L = 9;
    private static final int V = 10;
    private static final int T = 11;
    private static final int LV = 12;
    private static final int LVT = 13;
    private static final int PICTOGRAPH = 14;
    private static final int CONSONANT = 15;
    private static final int INNER = 16;
    private static final int LINKER = 17;

    private Graphemes() {}

    /** The end of the grapheme that begins at `start`. */
    static int end(int[] text, int length, int start) {
        int before = BREAKS.of(text[start]);
        int at = start + 1;
        boolean pictograph = before == PICTOGRAPH; // with nothing but extending characters since
        boolean joined = false; // and a joiner last
        int regional = before == REGIONAL ? 1 : 0;
        int conjunct = before == CONSONANT ? 1 : 0; // 1: within one, 2: with a linker
        while (at < length) {
            int kind = BREAKS.of(text[at]);
            if (!goesOn(before, kind, joined, regional, conjunct)) {
                break;
            }
            boolean extends_ = kind == EXTEND || kind == INNER || kind == LINKER;
            joined = pictograph && kind == JOINER;
            pictograph = kind == PICTOGRAPH || (pictograph && extends_);
            if (joined) {
                pictograph = false;
            }
            regional = kind == REGIONAL ? regional + 1 : 0;
            if (kind == CONSONANT) {
                conjunct = 1;
            } else if (kind == LINKER) {
                conjunct = conjunct > 0 ? 2 : 0;
            } else if (kind != INNER && kind != JOINER) {
                conjunct = 0;
            }
            before = kind;
            ++at;
        }
        return at;
    }

    private static boolean goesOn(int before, int kind, boolean joined, int regional, int conjunct) {
        if (before == CR && kind == LF) {
            return true;
        }
        if (before <= CONTROL && before >= CR || kind <= CONTROL && kind >= CR) {
            return false;
        }
        if (before == L && (kind == L || kind == V || kind == LV || kind == LVT)
                || (before == LV || before == V) && (kind == V || kind == T)
                || (before == LVT || before == T) && kind == T) {
            return true;
        }
        if (kind == EXTEND || kind == INNER || kind == LINKER || kind == JOINER || kind == SPACING || before == PREPEND) {
            return true;
        }
        return conjunct == 2 && kind == CONSONANT || joined && kind == PICTOGRAPH || kind == REGIONAL && regional % 2 == 1;
    }
}
