package satchel;

/** Stops a run from another thread, also in the middle of a step. Good for one generation. */
public final class Cancel {
    private volatile boolean requested;
    private Runnable hook;

    /** Asks the run to end as soon as it can. */
    public void cancel() {
        requested = true;
        synchronized (this) {
            if (hook != null) {
                hook.run();
            }
        }
    }

    public boolean requested() {
        return requested;
    }

    /** Throws CANCELLED where that was asked for. */
    public void check() {
        if (requested) {
            throw SatchelException.error("the run was cancelled", "CANCELLED");
        }
    }

    /** What stops the graph that runs now; null when it has ended. */
    public synchronized void onCancel(Runnable what) {
        hook = what;
        if (what != null && requested) {
            what.run();
        }
    }
}
