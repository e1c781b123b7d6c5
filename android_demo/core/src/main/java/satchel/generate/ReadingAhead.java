package satchel.generate;

/**
 * The steps of a text whose next ids are looked up: several are read in one run. Knows no choosing.
 *
 * <p>A step gives the logits that the run's own step would give, so whoever chooses from them, by whatever rule,
 * chooses the same.
 */
final class ReadingAhead {
    private static final int FEW = 16; // ids at most that are read ahead of a text, with its next

    /** The logits behind the last step's id: row `at` of these. */
    Logits logits;

    int at;

    private final Run run;
    private final Row row;
    private final int[] ends;
    private final int[] draft = new int[FEW];
    private int drafted;
    private int next; // of the draft
    private int length; // of the text; what the run holds beyond is a draft

    ReadingAhead(Run run, Row row, int[] ends) {
        this.run = run;
        this.row = row;
        this.ends = ends;
        length = run.length(0);
    }

    /** Goes on with one id; as the run's step of a single text. */
    void step(int[] tokens, boolean[] active) {
        int token = tokens[0];
        row.lookup.add(token);
        ++length;
        if (next < drafted && draft[next] == token) {
            run.cancel().check();
            ++next;
            ++at;
            ++row.lookedUp;
            return;
        }
        run.rewind(length - 1);
        int left = row.limit - row.count();
        drafted = row.lookup.draft(Math.min(left, FEW) - 1, ends, draft);
        next = 0;
        at = 0;
        if (drafted == 0) {
            logits = run.step(tokens, active);
            return;
        }
        int[] ahead = new int[drafted + 1];
        ahead[0] = token;
        System.arraycopy(draft, 0, ahead, 1, drafted);
        logits = run.read(ahead);
    }
}
