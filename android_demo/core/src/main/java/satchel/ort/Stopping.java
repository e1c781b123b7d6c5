package satchel.ort;

import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import satchel.Cancel;

/** The options of runs that another thread may stop, one run at a time. */
final class Stopping implements Runnable {
    private OrtSession.RunOptions options;
    private boolean stopped;

    /** Options for a run that `cancel` (null: nothing) stops from now on, also in the middle of it. */
    OrtSession.RunOptions watch(Cancel cancel) throws OrtException {
        if (options == null) {
            options = new OrtSession.RunOptions();
            // Its default; where it is not set, ONNX Runtime spends 0.1 ms of every run on an exception.
            options.addRunConfigEntry("gpu_graph_id", "0");
        }
        if (stopped) {
            stopped = false;
            options.setTerminate(false);
        }
        if (cancel != null) {
            cancel.onCancel(this);
        }
        return options;
    }

    /** Behind a run: nothing stops it any more. */
    void done(Cancel cancel) {
        if (cancel != null) {
            cancel.onCancel(null);
        }
    }

    /** Behind the last run. */
    void close(Cancel cancel) {
        done(cancel);
        if (options != null) {
            options.close();
            options = null;
        }
    }

    /** Called by whoever cancels, until `done`. */
    @Override
    public void run() {
        stopped = true;
        try {
            options.setTerminate(true);
        } catch (OrtException error) {
            throw Environment.converted(error, "cancelling");
        }
    }
}
