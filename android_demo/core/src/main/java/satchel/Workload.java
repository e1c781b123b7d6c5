package satchel;

import java.util.LinkedHashMap;
import java.util.Map;

/** One thing that a bundle is timed at. */
public abstract class Workload {
    public final String name;

    /** How much a call gets done: tokens, texts or images. */
    public final int amount;

    /** Calls at most; the first of several warms up. */
    public final int times;

    /** Names of its figures, null where there is none: the seconds of a call, and the amount in a second. */
    public final String seconds;

    public final String rate;

    protected Workload(String name, int amount, int times, String seconds, String rate) {
        this.name = name;
        this.amount = amount;
        this.times = times;
        this.seconds = seconds;
        this.rate = rate;
    }

    /** What is not timed: called once, before the calls. */
    public void prepare() {}

    /** What is timed. */
    public abstract void call();

    /** Gives back what prepare took. */
    public void finish() {}

    /** Its figures, by their names, of one round of calls. CANCELLED where that was asked for; null: it cannot be. */
    public final Map<String, Double> figures(Cancel cancel) {
        Map<String, Double> figures = new LinkedHashMap<String, Double>();
        prepare();
        try {
            int counted = times;
            if (counted > 1) { // the first warms up
                call();
                --counted;
            }
            long start = System.nanoTime();
            for (int i = 0; i < counted; ++i) {
                if (cancel != null) {
                    cancel.check();
                }
                call();
            }
            double each = (System.nanoTime() - start) / 1e9 / counted;
            if (seconds != null) {
                figures.put(seconds, each);
            }
            if (rate != null) {
                figures.put(rate, amount / each);
            }
        } finally {
            finish();
        }
        return figures;
    }
}
