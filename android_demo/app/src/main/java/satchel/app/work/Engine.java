package satchel.app.work;

import android.os.Handler;
import android.os.Looper;
import android.os.Process;
import java.io.File;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.ThreadFactory;
import satchel.Model;
import satchel.Satchel;
import satchel.SatchelException;
import satchel.app.files.BundleStore;

/**
 * The one thread that owns models. It holds one model at a time: another takes its place, so that an app that has seen all
 * screens holds no more memory than the largest model.
 */
public final class Engine {
    private final BundleStore store;
    private final Handler screen = new Handler(Looper.getMainLooper());
    private final List<Job<?>> jobs = new ArrayList<Job<?>>(); // waiting or running; of the screen's thread
    private final ExecutorService thread = Executors.newSingleThreadExecutor(new ThreadFactory() {
        @Override
        public Thread newThread(final Runnable work) {
            return new Thread(work, "models");
        }
    });

    // Of the models' thread alone.
    private String loaded;
    private Model model;

    Engine(BundleStore store) {
        this.store = store;
    }

    /** Queues a job. */
    <T> void start(final Job<T> job) {
        jobs.add(job);
        thread.execute(new Runnable() {
            @Override
            public void run() {
                perform(job);
            }
        });
    }

    /** Stops everything: what runs, and what waits. */
    public void cancel() {
        for (Job<?> job : jobs) {
            job.cancel.cancel();
        }
    }

    /** Frees the memory of the model, after the job that runs now. */
    public void closeModel() {
        thread.execute(new Runnable() {
            @Override
            public void run() {
                close();
            }
        });
    }

    /** On the models' thread: the model of an installed bundle, loaded if it is not. */
    Model model(String bundle) {
        if (model == null || !bundle.equals(loaded)) {
            close();
            model = Satchel.load(folder(bundle), 0);
            loaded = bundle;
        }
        return model;
    }

    File folder(String bundle) {
        return store.folder(bundle);
    }

    /** On the models' thread. */
    void close() {
        Model closing = model;
        model = null;
        loaded = null;
        if (closing != null) {
            closing.close();
        }
    }

    private <T> void perform(final Job<T> job) {
        Process.setThreadPriority(Process.THREAD_PRIORITY_DEFAULT);
        T result = null;
        SatchelException error = null;
        try {
            job.cancel.check();
            result = job.work(this);
        } catch (SatchelException thrown) {
            error = thrown;
        } catch (IOException thrown) {
            error = SatchelException.storage(String.valueOf(thrown.getMessage()), thrown);
        } catch (OutOfMemoryError thrown) {
            close();
            error = SatchelException.limit("the phone has too little memory for this", "OUT_OF_MEMORY");
        } catch (StackOverflowError thrown) {
            error = SatchelException.error("something went wrong: " + thrown, "INTERNAL");
        } catch (LinkageError thrown) { // no native library for this processor
            error = SatchelException.unsupported("ONNX Runtime does not load on this phone: " + thrown.getMessage());
        } catch (RuntimeException thrown) { // a mistake of ours: said, and not the end of the app
            error = SatchelException.error("something went wrong: " + thrown, "INTERNAL");
        }
        final T outcome = result;
        final SatchelException failure = error;
        screen.post(new Runnable() {
            @Override
            public void run() {
                jobs.remove(job);
                if (failure != null) {
                    job.failed(failure);
                } else {
                    job.done(outcome);
                }
            }
        });
    }
}
