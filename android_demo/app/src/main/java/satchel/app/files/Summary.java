package satchel.app.files;

import java.io.File;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import satchel.SatchelException;
import satchel.bundle.Bundle;
import satchel.json.Json;

/**
 * What an installed bundle says of itself, for a list of bundles. It was checked when it was installed and is checked
 * again when it is loaded; here its manifest is only read, since the hashes of large files take a while.
 */
public final class Summary {
    /** Its name in the store. */
    public final String bundle;

    /** What it is called, the checkpoint's name if need be. */
    public final String title;

    /** Whether the app itself brought it along. */
    public final boolean builtIn;

    public final String architecture;
    public final String task;
    public final String profile;
    public final String checkpoint;
    /** Null where the checkpoint stated none. */
    public final String licence;
    /** The version of ONNX Runtime that it needs. */
    public final String onnxruntime;
    /** Whether its export's checks passed. */
    public final boolean verified;
    /** "joints" or "jinja"; null where it cannot hold a conversation. */
    public final String chat;
    public final int context;
    /** Of all files. */
    public final long bytes;
    /** By name: what its export measured. */
    public final Map<String, Object> quality;
    /** The export's checks: name, value, limit, and whether the value may not be below rather than above it. */
    public final List<Check> checks;

    /** A check of the export. */
    public static final class Check {
        public final String name;
        public final double value;
        public final double limit;
        public final boolean atLeast;
        public final boolean passed;

        Check(Map<?, ?> item) {
            name = text(item.get("name"));
            value = number(item.get("value"));
            limit = number(item.get("limit"));
            atLeast = Boolean.TRUE.equals(item.get("at_least"));
            passed = Boolean.TRUE.equals(item.get("passed"));
        }
    }

    /** Reads a bundle's manifest. Throws BUNDLE where that is none. */
    public static Summary of(BundleStore store, String bundle, boolean builtIn) {
        return new Summary(store.folder(bundle), bundle, store.title(bundle), builtIn);
    }

    private Summary(File folder, String bundle, String title, boolean builtIn) {
        Map<?, ?> manifest = manifest(folder);
        this.bundle = bundle;
        this.builtIn = builtIn;
        architecture = text(manifest.get("architecture"));
        task = text(manifest.get("task"));
        profile = text(map(manifest.get("quantization")).get("name"));
        checkpoint = text(map(manifest.get("source")).get("name"));
        Object stated = map(manifest.get("source")).get("licence");
        licence = stated == null ? null : text(stated);
        onnxruntime = text(manifest.get("onnxruntime"));
        verified = Boolean.TRUE.equals(manifest.get("verified"));
        Object kind = map(manifest.get("chat")).get("kind");
        chat = kind == null ? null : text(kind);
        context = (int) number(manifest.get("context"));
        this.title = title == null ? checkpoint : title;
        bytes = bytes(map(manifest.get("files")));
        quality = quality(map(manifest.get("quality")));
        checks = checks(map(manifest.get("parity")).get("checks"));
    }

    /** Bundles of one name are the same, however often they are read. */
    @Override
    public boolean equals(Object other) {
        return other instanceof Summary && ((Summary) other).bundle.equals(bundle) && ((Summary) other).title.equals(title);
    }

    @Override
    public int hashCode() {
        return bundle.hashCode();
    }

    /** For a list: what it is called and how large it is. */
    @Override
    public String toString() {
        return title + " (" + megabytes() + ")";
    }

    public String megabytes() {
        return bytes < 10000000 ? bytes / 100000 / 10.0 + " MB" : bytes / 1000000 + " MB";
    }

    private static Map<?, ?> manifest(File folder) {
        try {
            return map(Json.parse(Bundle.manifestText(folder)));
        } catch (IllegalArgumentException error) {
            throw SatchelException.bundle(Bundle.MANIFEST + " is damaged: " + error.getMessage());
        }
    }

    private static long bytes(Map<?, ?> files) {
        double bytes = 0;
        for (Object file : files.values()) {
            bytes += number(map(file).get("size"));
        }
        return (long) bytes;
    }

    private static Map<String, Object> quality(Map<?, ?> given) {
        Map<String, Object> quality = new LinkedHashMap<String, Object>();
        for (Map.Entry<?, ?> entry : given.entrySet()) {
            if (entry.getValue() instanceof Number || entry.getValue() instanceof String) {
                quality.put(text(entry.getKey()), entry.getValue());
            }
        }
        return Collections.unmodifiableMap(quality);
    }

    private static List<Check> checks(Object given) {
        List<Check> checks = new ArrayList<Check>();
        if (given instanceof List) {
            for (Object item : (List<?>) given) {
                checks.add(new Check(map(item)));
            }
        }
        return Collections.unmodifiableList(checks);
    }

    private static Map<?, ?> map(Object value) {
        return value instanceof Map ? (Map<?, ?>) value : Collections.emptyMap();
    }

    private static String text(Object value) {
        return value instanceof String ? (String) value : "";
    }

    private static double number(Object value) {
        return value instanceof Number ? ((Number) value).doubleValue() : 0;
    }
}
