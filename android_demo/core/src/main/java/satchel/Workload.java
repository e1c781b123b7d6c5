package satchel;

/** One thing that a bundle is timed at. Knows no clock. */
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
}
