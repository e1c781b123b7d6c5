package satchel.app.measure;

import java.util.LinkedHashMap;
import java.util.Map;
import satchel.Cancel;
import satchel.Measured;
import satchel.SatchelException;
import satchel.Workload;

/**
 * Times a bundle as `satchel bench` does and reports in the same JSON: the same figures under the same names. What
 * differs: repeats are loads in one process rather than processes of their own, and the peak of memory is that of this
 * process, which holds an app as well.
 */
public final class Benchmark {
    public static final int MOST_REPEATS = 20;

    private static final double NANOSECONDS = 1e9;
    private static final double MEGABYTE = 1e6;

    private final Subject.Opener opener;
    private final Memory memory;
    private final Cancel cancel;
    private final Listener listener;
    private final Figures figures = new Figures();
    private int threads;
    private String onnxruntime = "";

    /** Is told what is being timed. */
    public interface Listener {
        void at(int repeat, String workload);
    }

    public Benchmark(Subject.Opener opener, Memory memory, Cancel cancel, Listener listener) {
        this.opener = opener;
        this.memory = memory;
        this.cancel = cancel;
        this.listener = listener;
    }

    /**
     * Measures `repeats` times. `bundle` gives what the report says of the bundle (bundle, architecture, profile), in that
     * order; `processor` is its name; `device` whatever else is known of the phone.
     */
    public Map<String, Object> run(
            int repeats, Map<String, Object> bundle, long bytes, String processor, Map<String, Object> device) {
        if (repeats < 1 || repeats > MOST_REPEATS) {
            throw SatchelException.usage("repeats = " + repeats + "; expected 1 to " + MOST_REPEATS);
        }
        for (int repeat = 1; repeat <= repeats; ++repeat) {
            once(repeat);
        }
        figures.add("file_megabytes", bytes / MEGABYTE);
        Map<String, Object> report = new LinkedHashMap<String, Object>(bundle);
        report.put("repeats", repeats);
        report.put("threads", threads);
        report.put("onnxruntime", onnxruntime);
        report.put("kernels", "ONNX Runtime's own");
        report.put("processor", processor);
        report.put("figures", figures.spreads());
        report.put("device", device);
        return report;
    }

    private void once(int repeat) {
        cancel.check();
        listener.at(repeat, "loading");
        Peak peak = new Peak(memory);
        try {
            long began = System.nanoTime();
            Subject subject = opener.open();
            try {
                figures.add("load_seconds", since(began));
                Measured measured = subject.measured();
                if (measured.firstToken()) {
                    figures.add("load_to_first_token_seconds", since(began));
                }
                for (Workload workload : measured.workloads()) {
                    cancel.check();
                    listener.at(repeat, workload.name);
                    for (Map.Entry<String, Double> figure : workload.figures(cancel).entrySet()) {
                        figures.add(figure.getKey(), figure.getValue());
                    }
                }
                threads = measured.threads();
                onnxruntime = subject.onnxruntime();
                memorized("pss_megabytes", memory.proportional());
            } finally {
                subject.close();
            }
        } finally {
            memorized("peak_rss_megabytes", peak.bytes());
        }
    }

    private void memorized(String name, long bytes) {
        if (bytes > 0) {
            figures.add(name, bytes / MEGABYTE);
        }
    }

    private static double since(long start) {
        return (System.nanoTime() - start) / NANOSECONDS;
    }
}
