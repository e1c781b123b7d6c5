package satchel.cli;

import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import satchel.SatchelException;
import satchel.bundle.Bundle;
import satchel.json.Json;
import satchel.json.Numbers;

/** `bench`: load time, speed and memory. Every repeat is a process of its own, a fresh start. */
final class Bench extends Verb {
    private static final long USUAL_REPEATS = 5;
    private static final String[][] UNITS = {
        {"_seconds", "s"},
        {"_texts_per_second", "texts/s"},
        {"_images_per_second", "images/s"},
        {"_per_second", "tok/s"},
        {"_megabytes", "MB"},
    };

    Bench() {
        super("bench", "load time, speed and memory", "satchel bench my-bundle --json figures.json");
    }

    @Override
    void declare(Arguments arguments) {
        arguments.add("--json", Argument.Takes.ONE, "also write the figures to FILE").shown("FILE");
        arguments.add("--repeats", Argument.Takes.ONE, "runs per figure (5)")
                .read(Argument.Read.WHOLE, "N")
                .otherwise(USUAL_REPEATS);
    }

    @Override
    void run(Given given, Console console) {
        if (given.has("json")) {
            checkJson(given.file("json"));
        }
        int repeats = given.whole("repeats");
        if (repeats < 1) {
            throw SatchelException.usage("--repeats " + repeats + "; expected at least 1");
        }
        Bundle bundle = Bundle.open(given.file("bundle"));
        bundle.awaitChecks();
        List<Map<?, ?>> runs = new ArrayList<Map<?, ?>>();
        for (int i = 0; i < repeats; ++i) {
            runs.add(measured(given));
        }
        Map<String, Object> figures = figures(bundle, runs);
        console.line("kernels: " + figures.get("kernels"));
        console.line(Table.of(rows(figures)));
        if (given.has("json")) {
            try {
                WholeFile.write(given.file("json"), Readable.indented(figures) + "\n");
            } catch (IOException error) {
                throw Lines.failed(given.file("json"), error);
            }
        }
    }

    private static void checkJson(File file) {
        String name = SatchelException.shown(file);
        File folder = file.getAbsoluteFile().getParentFile();
        if (folder == null || !folder.isDirectory() || file.isDirectory()) {
            throw SatchelException.storage("--json " + name + ": not a file in an existing folder", null);
        }
        boolean pipe = file.exists() && !file.isFile();
        if (!(pipe ? file : folder).canWrite()) {
            throw SatchelException.storage("--json " + name + " cannot be written: permission denied", null);
        }
    }

    /** The figures of one repeat, by a process that is this one again. */
    private static Map<?, ?> measured(Given given) {
        List<String> command = new ArrayList<String>();
        command.add(new File(System.getProperty("java.home"), "bin/java").getPath());
        for (String name : System.getProperties().stringPropertyNames()) {
            if (name.startsWith("onnxruntime.")) {
                command.add("-D" + name + "=" + System.getProperty(name));
            }
        }
        Integer threads = given.whole("threads");
        command.addAll(Arrays.asList(
                "-cp", System.getProperty("java.class.path"), Repeat.class.getName(), given.text("bundle"),
                String.valueOf(threads == null ? 0 : threads)));
        String last = "no output";
        try {
            Process process = new ProcessBuilder(command).redirectErrorStream(true).start();
            BufferedReader lines =
                    new BufferedReader(new InputStreamReader(process.getInputStream(), Console.UTF_8));
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                last = line.trim().isEmpty() ? last : line;
            }
            if (process.waitFor() == 0) {
                return (Map<?, ?>) Json.parse(last);
            }
        } catch (IOException error) {
            last = error.getMessage();
        } catch (InterruptedException error) {
            Thread.currentThread().interrupt();
            last = "it was interrupted";
        } catch (IllegalArgumentException error) {
            // What it says is no JSON: the error below shows it.
        }
        throw SatchelException.error("the measuring process failed: " + SatchelException.shown(last, 360), "ERROR");
    }

    private static Map<String, Object> figures(Bundle bundle, List<Map<?, ?>> runs) {
        Map<?, ?> first = runs.get(0);
        Map<String, Object> spreads = new LinkedHashMap<String, Object>();
        for (Map.Entry<?, ?> entry : first.entrySet()) {
            if (entry.getValue() instanceof Double) {
                double[] values = new double[runs.size()];
                for (int i = 0; i < values.length; ++i) {
                    values[i] = ((Number) runs.get(i).get(entry.getKey())).doubleValue();
                }
                spreads.put((String) entry.getKey(), spread(values));
            }
        }
        spreads.put("file_megabytes", spread(new double[] {bundle.size() / 1e6}));
        Map<String, Object> figures = new LinkedHashMap<String, Object>();
        figures.put("bundle", bundle.manifest.source.name);
        figures.put("architecture", bundle.manifest.architecture);
        figures.put("profile", bundle.manifest.quantization.get("name"));
        figures.put("repeats", runs.size());
        figures.put("threads", first.get("threads"));
        figures.put("onnxruntime", first.get("onnxruntime"));
        figures.put("kernels", "ONNX Runtime's own");
        figures.put("java", System.getProperty("java.version"));
        figures.put("processor", processor());
        figures.put("figures", spreads);
        return figures;
    }

    private static Map<String, Object> spread(double[] values) {
        double[] sorted = values.clone();
        Arrays.sort(sorted);
        int middle = sorted.length / 2;
        double median = sorted.length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
        Map<String, Object> spread = new LinkedHashMap<String, Object>();
        spread.put("median", median);
        spread.put("min", sorted[0]);
        spread.put("max", sorted[sorted.length - 1]);
        return spread;
    }

    /** Cells of a table: figure with unit, median, min, max. */
    private static List<String[]> rows(Map<String, Object> figures) {
        List<String[]> rows = new ArrayList<String[]>();
        rows.add(new String[] {"figure", "median", "min", "max"});
        for (Map.Entry<?, ?> entry : ((Map<?, ?>) figures.get("figures")).entrySet()) {
            Map<?, ?> spread = (Map<?, ?>) entry.getValue();
            rows.add(new String[] {
                named((String) entry.getKey()), cell(spread, "median"), cell(spread, "min"), cell(spread, "max")
            });
        }
        return rows;
    }

    private static String cell(Map<?, ?> spread, String name) {
        return Numbers.general((Double) spread.get(name), 4);
    }

    private static String named(String figure) {
        for (String[] unit : UNITS) {
            if (figure.endsWith(unit[0])) {
                String quantity = figure.substring(0, figure.length() - unit[0].length());
                return quantity.replace('_', ' ') + " (" + unit[1] + ")";
            }
        }
        return figure;
    }

    private static String processor() {
        File told = new File("/proc/cpuinfo");
        if (told.exists()) {
            Lines lines = Lines.of(told);
            try {
                for (String line = lines.next(); line != null; line = lines.next()) {
                    if (line.startsWith("model name")) {
                        return line.substring(line.indexOf(':') + 1).trim();
                    }
                }
            } finally {
                lines.close();
            }
        }
        return System.getProperty("os.arch");
    }
}
