package satchel;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;

/** A bundle checked where it is going to run: without its checkpoint. The checks are those of the export. */
public final class Verification {
    private static final String[] HEADING = {"check", "value", "limit", ""};
    private static final int DIGITS = 3;

    /** One check: what was measured, and the most it may be. */
    public static final class Verdict {
        public final String name;
        public final double value;
        public final double limit;

        Verdict(String name, double value, double limit) {
            this.name = name;
            this.value = value;
            this.limit = limit;
        }

        public boolean passed() {
            return value <= limit;
        }

        /** The figure beside its limit, for an error. */
        public String words() {
            return name + " " + Tables.figure(value, DIGITS) + ", limit " + Tables.figure(limit, DIGITS);
        }

        String[] cells() {
            String state = passed() ? "ok" : "FAILED";
            return new String[] {name, Tables.figure(value, DIGITS), Tables.figure(limit, DIGITS), state};
        }
    }

    public final List<Verdict> verdicts;

    private Verification(List<Verdict> verdicts) {
        this.verdicts = Collections.unmodifiableList(verdicts);
    }

    /**
     * Repeats the export's checks on this machine. Loading the model has checked files and signatures; what is
     * left are its answers to its probes.
     */
    public static Verification of(Model model) {
        List<Verdict> verdicts = new ArrayList<Verdict>();
        verdicts.add(new Verdict("files match the manifest", 0, 0));
        verdicts.add(new Verdict("graph inputs and outputs", 0, 0));
        for (SampleAnswer answer : ((Measured) model).sampleAnswers()) {
            verdicts.add(new Verdict(answer.name, answer.distance, answer.limit));
        }
        return new Verification(verdicts);
    }

    /** Whether all checks passed. */
    public boolean passed() {
        return failed().isEmpty();
    }

    /** Throws FIDELITY, which names the checks that failed. */
    public void require() {
        List<Verdict> failed = failed();
        if (failed.isEmpty()) {
            return;
        }
        StringBuilder words = new StringBuilder();
        for (Verdict verdict : failed) {
            words.append(words.length() == 0 ? "" : ", ").append(verdict.words());
        }
        throw new SatchelException(
                failed.size() + " of " + verdicts.size() + " checks failed: " + words, "FIDELITY", 5, null);
    }

    /** The lines that `satchel verify` prints. */
    public List<String> lines() {
        List<String[]> rows = new ArrayList<String[]>();
        rows.add(HEADING);
        for (Verdict verdict : verdicts) {
            rows.add(verdict.cells());
        }
        return Tables.lines(rows);
    }

    private List<Verdict> failed() {
        List<Verdict> failed = new ArrayList<Verdict>();
        for (Verdict verdict : verdicts) {
            if (!verdict.passed()) {
                failed.add(verdict);
            }
        }
        return failed;
    }
}
