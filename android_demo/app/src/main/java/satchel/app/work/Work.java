package satchel.app.work;

import satchel.SatchelException;

/**
 * What a screen is at, kept while the screen itself is made anew (after a rotation). All of it belongs to the screen's
 * thread. One job at a time.
 */
public abstract class Work {
    final Engine engine;
    private Runnable observer;
    private Job<?> job;
    private String problem;

    Work(Engine engine) {
        this.engine = engine;
    }

    /** Who is told of every change; null for nobody. */
    public final void observe(Runnable who) {
        observer = who;
    }

    /** Whether a job is under way. */
    public final boolean busy() {
        return job != null;
    }

    /** Stops the job, if there is one. */
    public final void stop() {
        if (job != null) {
            job.cancel.cancel();
        }
    }

    /** What went wrong last, or null. */
    public final String problem() {
        return problem;
    }

    final void changed() {
        if (observer != null) {
            observer.run();
        }
    }

    /** Begins a job; what went wrong before is forgotten. */
    final <T> void begin(Job<T> next) {
        if (job != null) {
            throw new IllegalStateException("a job is under way");
        }
        job = next;
        problem = null;
        engine.start(next);
        changed();
    }

    /** The job has ended; `error` is null where it went well. Call it first in its `done` and `failed`. */
    final void ended(SatchelException error) {
        job = null;
        problem = error == null || Job.cancelled(error) ? null : error.getMessage();
    }

    /** Says that something cannot be done. */
    final void refuse(String why) {
        problem = why;
        changed();
    }
}
