package satchel.ort;

import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
import satchel.bundle.Bundle;

/** The sessions of a bundle's graphs, opened one after the other beside whatever else is being loaded. */
public final class Sessions implements AutoCloseable {
    private final Bundle bundle;
    private final int threads;
    private final Map<String, FutureTask<Session>> waiting = new LinkedHashMap<String, FutureTask<Session>>();

    /** Begins to open them all; threads as for {@link Session#open}. */
    public Sessions(final Bundle bundle, final int threads) {
        this.bundle = bundle;
        this.threads = threads;
        for (final String role : bundle.manifest.graphs.keySet()) {
            waiting.put(role, new FutureTask<Session>(new Callable<Session>() {
                @Override
                public Session call() {
                    return Session.open(bundle, role, threads);
                }
            }));
        }
        Thread opening = new Thread(new InOrder(waiting.values().toArray(new FutureTask<?>[0])), "satchel-opening");
        opening.setDaemon(true);
        opening.start();
    }

    /** The session of a role, which is the caller's from here on; raises what opening it raised. */
    public Session take(String role) {
        FutureTask<Session> task = waiting.remove(role);
        return task == null ? Session.open(bundle, role, threads) : awaited(task);
    }

    /** Closes those that nobody took. */
    @Override
    public void close() {
        for (FutureTask<Session> task : waiting.values()) {
            try {
                awaited(task).close();
            } catch (RuntimeException | Error error) {
                // It was not opened, and nobody asked for it.
            }
        }
        waiting.clear();
    }

    private static Session awaited(FutureTask<Session> task) {
        boolean interrupted = false;
        try {
            while (true) {
                try {
                    return task.get();
                } catch (InterruptedException error) {
                    interrupted = true;
                } catch (ExecutionException error) {
                    if (error.getCause() instanceof Error) {
                        throw (Error) error.getCause();
                    }
                    throw (RuntimeException) error.getCause(); // Session.open throws no other
                }
            }
        } finally {
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
        }
    }

    /** Runs tasks one after the other. */
    private static final class InOrder implements Runnable {
        private final FutureTask<?>[] tasks;

        InOrder(FutureTask<?>[] tasks) {
            this.tasks = tasks;
        }

        @Override
        public void run() {
            for (FutureTask<?> task : tasks) {
                task.run();
            }
        }
    }
}
