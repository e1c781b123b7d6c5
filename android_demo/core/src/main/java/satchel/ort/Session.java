package satchel.ort;

import ai.onnxruntime.OnnxTensor;
import ai.onnxruntime.OnnxValue;
import ai.onnxruntime.OrtEnvironment;
import ai.onnxruntime.OrtException;
import ai.onnxruntime.OrtLoggingLevel;
import ai.onnxruntime.OrtSession;
import java.io.File;
import java.util.Collection;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;
import satchel.Cancel;
import satchel.SatchelException;
import satchel.bundle.Bundle;
import satchel.bundle.Manifest;

/**
 * One graph of a bundle, ready to run: options, threads, and errors of ONNX Runtime as ours. Knows no model.
 * Safe to use from several threads; closed while a graph runs, it ends with that run.
 */
public final class Session implements AutoCloseable {
    private static final int FEWEST_ALLOWED = 32; // threads, on a machine of few cores: each waits busily

    /** How many threads an operator uses. */
    public final int threads;

    private final OrtSession session;
    private final String doing;
    private int running;
    private boolean closed;
    private boolean released;

    private Session(OrtSession session, int threads, String doing) {
        this.session = session;
        this.threads = threads;
        this.doing = doing;
    }

    /**
     * A session of the graph that has this role in a bundle, its signature checked.
     *
     * @param threads 0 for the big physical cores that this process may use
     */
    public static Session open(Bundle bundle, String role, int threads) {
        Manifest manifest = bundle.manifest;
        Manifest.Graph graph = manifest.graphs.get(role);
        if (graph == null) {
            throw SatchelException.bundle(
                    "the bundle has no " + role + " graph; it has " + Signature.joined(manifest.graphs.keySet()));
        }
        checkThreads(threads);
        OrtEnvironment environment = Environment.get();
        Signature.checkVersion(Environment.version(), manifest.onnxruntime);
        if (manifest.cache != null) {
            Environment.checkAttention();
        }
        int used = threads == 0 ? Cores.usual() : threads;
        // An encoder beside a decoder leaves the cores to it, since it runs next on them.
        boolean waits = role.equals("decoder") || !manifest.graphs.containsKey("decoder");
        File file = bundle.file(graph.file);
        OrtSession session = opened(environment, file, used, waits);
        try {
            Signature.check(session, graph);
        } catch (OrtException error) {
            release(session);
            throw Environment.converted(error, "loading " + file.getName());
        } catch (SatchelException error) {
            release(session);
            throw error;
        }
        return new Session(session, used, "running the " + role);
    }

    /** The version of the native library. */
    public static String version() {
        return Environment.version();
    }

    /**
     * Runs the graph once.
     *
     * @param wanted names of outputs that are given back; they are the caller's to close
     * @param pinned outputs that are written into tensors of the caller, by name
     * @param cancel what stops it, or null
     */
    public Map<String, Tensor> run(
            Map<String, Tensor> inputs, Collection<String> wanted, Map<String, Tensor> pinned, Cancel cancel) {
        Stopping stopping = new Stopping();
        begin();
        try {
            Set<String> requested = new LinkedHashSet<String>(wanted);
            OrtSession.Result result =
                    session.run(values(inputs), requested, values(pinned), stopping.watch(cancel));
            Map<String, Tensor> given = new LinkedHashMap<String, Tensor>();
            for (Map.Entry<String, OnnxValue> entry : result) {
                if (requested.contains(entry.getKey())) {
                    given.put(entry.getKey(), new Tensor((OnnxTensor) entry.getValue()));
                }
            }
            return given;
        } catch (OrtException | RuntimeException | OutOfMemoryError error) {
            throw failed(error, cancel);
        } finally {
            stopping.close(cancel);
            end();
        }
    }

    /** A call to repeat: the graph reads and writes the same tensors, which outlive it, and allocates nothing. */
    public Call bind(Map<String, Tensor> inputs, Map<String, Tensor> pinned) {
        return new Call(this, values(inputs), values(pinned));
    }

    /** Gives the session back, once no run needs it any more. */
    @Override
    public void close() {
        synchronized (this) {
            closed = true;
            if (running > 0 || released) {
                return;
            }
            released = true;
        }
        release(session);
    }

    OrtSession begin() {
        synchronized (this) {
            if (closed) {
                throw SatchelException.usage("the model is closed", "CLOSED");
            }
            ++running;
        }
        return session;
    }

    void end() {
        synchronized (this) {
            --running;
            if (!closed || running > 0 || released) {
                return;
            }
            released = true;
        }
        release(session);
    }

    SatchelException failed(Throwable error, Cancel cancel) {
        if (cancel != null && cancel.requested()) {
            return SatchelException.error("the run was cancelled", "CANCELLED");
        }
        return Environment.converted(error, doing);
    }

    private static OrtSession opened(OrtEnvironment environment, File file, int threads, boolean waits) {
        try {
            OrtSession.SessionOptions options = new OrtSession.SessionOptions();
            try {
                options.setIntraOpNumThreads(threads);
                options.setInterOpNumThreads(1);
                options.setSessionLogLevel(OrtLoggingLevel.ORT_LOGGING_LEVEL_FATAL); // errors are exceptions
                options.addConfigEntry("session.intra_op.allow_spinning", "1");
                if (!waits) {
                    options.addConfigEntry("session.force_spinning_stop", "1");
                }
                if (Cores.addIn16Bits()) {
                    options.addConfigEntry("session.x64quantprecision", "1");
                }
                return environment.createSession(file.getPath(), options);
            } finally {
                options.close();
            }
        } catch (OrtException error) {
            throw Environment.converted(error, "loading " + file.getName());
        }
    }

    private static void checkThreads(int threads) {
        int most = Math.max(FEWEST_ALLOWED, 4 * Runtime.getRuntime().availableProcessors());
        if (threads < 0 || threads > most) {
            throw SatchelException.usage(
                    "threads = " + threads + "; expected 1 to " + most + " on this machine");
        }
    }

    private static Map<String, OnnxTensor> values(Map<String, Tensor> tensors) {
        if (tensors == null) {
            return Collections.emptyMap();
        }
        Map<String, OnnxTensor> values = new LinkedHashMap<String, OnnxTensor>();
        for (Map.Entry<String, Tensor> entry : tensors.entrySet()) {
            values.put(entry.getKey(), entry.getValue().value);
        }
        return values;
    }

    private static void release(OrtSession session) {
        try {
            session.close();
        } catch (OrtException error) {
            throw Environment.converted(error, "closing a graph");
        }
    }
}
