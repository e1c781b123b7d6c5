package satchel.cli;

import java.io.File;
import java.util.LinkedHashMap;
import java.util.Map;
import satchel.Measured;
import satchel.Model;
import satchel.Satchel;
import satchel.SatchelException;
import satchel.Workload;
import satchel.ort.Session;

/** One repeat of a benchmark, in a process of its own: prints the figures as a line of JSON. */
final class Repeat {
    private static final File STATUS = new File("/proc/self/status");

    private Repeat() {}

    /** A bundle's folder, and threads: 0 for the usual. */
    public static void main(String[] arguments) {
        try {
            Map<String, Object> figures = figures(new File(arguments[0]), Integer.parseInt(arguments[1]));
            System.out.println(Readable.json(figures));
        } catch (SatchelException error) {
            System.out.println("error[" + error.code + "]: " + error.getMessage());
            System.exit(1);
        }
        System.exit(0);
    }

    static Map<String, Object> figures(File folder, int threads) {
        Map<String, Object> figures = new LinkedHashMap<String, Object>();
        long began = System.nanoTime();
        Model model = Satchel.load(folder, threads);
        try {
            figures.put("load_seconds", seconds(began));
            Measured measured = (Measured) model;
            if (measured.firstToken()) {
                figures.put("load_to_first_token_seconds", seconds(began));
            }
            for (Workload workload : measured.workloads()) {
                figures.putAll(workload.figures(null));
            }
            Double peak = peakMegabytes();
            if (peak != null) {
                figures.put("peak_rss_megabytes", peak);
            }
            figures.put("threads", measured.threads());
            figures.put("onnxruntime", Session.version());
        } finally {
            model.close();
        }
        return figures;
    }

    private static double seconds(long since) {
        return (System.nanoTime() - since) / 1e9;
    }

    /** Most memory this process has had resident, in 10**6 bytes; null where it cannot be told. */
    private static Double peakMegabytes() {
        if (!STATUS.exists()) {
            return null;
        }
        Lines lines = Lines.of(STATUS);
        try {
            for (String line = lines.next(); line != null; line = lines.next()) {
                if (line.startsWith("VmHWM:")) {
                    String kilobytes = line.substring(6, line.length() - 2).trim();
                    return Long.parseLong(kilobytes) * 1024 / 1e6;
                }
            }
        } finally {
            lines.close();
        }
        return null;
    }
}
