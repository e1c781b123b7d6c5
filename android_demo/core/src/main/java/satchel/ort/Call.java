package satchel.ort;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtSession;
import java.util.Collections;
import java.util.Map;
import java.util.Set;
import satchel.Cancel;

/**
 * A call of a graph to be repeated: it reads and writes the same tensors each time. For one thread at a time; it
 * does not close the tensors.
 */
public final class Call implements AutoCloseable {
    private static final Set<String> NOTHING = Collections.<String>emptySet();

    private final Session session;
    private final Map<String, OnnxTensor> inputs;
    private final Map<String, OnnxTensor> pinned;
    private final QuickCall quick; // null: the public way
    private final Stopping stopping = new Stopping();

    Call(Session session, Map<String, OnnxTensor> inputs, Map<String, OnnxTensor> pinned) {
        this.session = session;
        this.inputs = inputs;
        this.pinned = pinned;
        quick = QuickCall.of(session.begin(), inputs, pinned);
        session.end();
    }

    /** Runs the graph; CANCELLED where another thread asked for that, also in the middle. */
    public void run(Cancel cancel) {
        if (cancel != null) {
            cancel.check();
        }
        OrtSession graph = session.begin();
        try {
            OrtSession.RunOptions options = stopping.watch(cancel);
            if (quick != null) {
                quick.run(options);
            } else {
                graph.run(inputs, NOTHING, pinned, options).close();
            }
        } catch (OrtException | RuntimeException | OutOfMemoryError error) {
            throw session.failed(error, cancel);
        } finally {
            stopping.done(cancel);
            session.end();
        }
    }

    @Override
    public void close() {
        stopping.close(null);
    }
}
