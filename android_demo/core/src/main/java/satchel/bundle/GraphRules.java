package satchel.bundle;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import satchel.SatchelException;

/** Inputs and outputs of graphs as a manifest promises them: what its other fields ask for. */
final class GraphRules {
    private static final String[] PARTS = {"key", "value"};
    private static final List<String> CACHE_DTYPES = Arrays.asList("float32", "int8");
    private static final String PAST = "past_key_values.";
    /** Input of a text encoder: 1 for tokens of a prompt that its vector leaves out. */
    private static final String PROMPT_MASK = "prompt_mask";
    /** Axes of any name, and of any size. */
    private static final Object NAME = new Object();
    private static final Object SIZE = new Object();

    private GraphRules() {}

    /** An encoder's graph takes what the manifest prepares, and answers what the task asks. */
    static void checkTower(String role, Manifest.Graph graph, Manifest manifest) {
        Map<String, Object[]> axes = axes(graph);
        boolean image = role.equals("image");
        if (image) {
            Object size = manifest.image.get("size");
            List<?> pair = size instanceof List && ((List<?>) size).size() == 2
                    ? (List<?>) size
                    : Arrays.<Object>asList(0L, 0L);
            checkAxes(axes, "pixel_values", NAME, 3, pair.get(0), pair.get(1));
        } else {
            checkAxes(axes, "input_ids", NAME, NAME);
            if (axes.containsKey(PROMPT_MASK)) {
                if (!manifest.task.equals("embed")) {
                    throw SatchelException.bundle(Bundle.MANIFEST + ": the input " + PROMPT_MASK
                            + " has no place in a bundle made for " + manifest.task);
                }
                checkAxes(axes, PROMPT_MASK, NAME, NAME);
            }
        }
        checkAxes(axes, "last_hidden_state", NAME, image ? SIZE : NAME, SIZE);
        Task task = Task.of(manifest.task);
        String name = "embedding";
        if (!task.scores.isEmpty()) {
            int labels = manifest.labels == null ? 0 : manifest.labels.names.size();
            int count = task.width(labels, manifest.vocabSize);
            name = "logits";
            if (task.perToken) {
                checkAxes(axes, name, NAME, NAME, count);
            } else {
                checkAxes(axes, name, NAME, count);
            }
        } else if (!axes.containsKey(name)) {
            return; // an image's vector may be one of its states
        } else {
            checkAxes(axes, name, NAME, SIZE);
        }
        if (!graph.outputs.get(graph.outputs.size() - 1).name.equals(name)) {
            throw SatchelException.bundle(
                    Bundle.MANIFEST + ": the last output of " + role + " is not " + name, "BUNDLE_IO");
        }
    }

    private static Map<String, Object[]> axes(Manifest.Graph graph) {
        Map<String, Object[]> axes = new LinkedHashMap<String, Object[]>();
        for (Manifest.Port port : ports(graph)) {
            axes.put(port.name, port.axes);
        }
        return axes;
    }

    private static List<Manifest.Port> ports(Manifest.Graph graph) {
        List<Manifest.Port> ports = new ArrayList<Manifest.Port>(graph.inputs);
        ports.addAll(graph.outputs);
        return ports;
    }

    private static void checkAxes(Map<String, Object[]> all, String name, Object... expected) {
        Object[] axes = all.get(name);
        boolean fits = axes != null && axes.length == expected.length;
        for (int i = 0; fits && i < axes.length; ++i) {
            boolean named = axes[i] instanceof String;
            Object wanted = expected[i];
            fits = wanted == NAME ? named : wanted == SIZE ? !named : same(axes[i], wanted);
        }
        if (!fits) {
            throw SatchelException.bundle(
                    Bundle.MANIFEST + ": " + Words.shown(name) + " has axes " + shown(axes)
                            + ", which do not go with the rest",
                    "BUNDLE_IO");
        }
    }

    private static boolean same(Object axis, Object wanted) {
        if (axis instanceof Number && wanted instanceof Number) {
            return ((Number) axis).doubleValue() == ((Number) wanted).doubleValue();
        }
        return axis.equals(wanted);
    }

    /** The decoder's graph, and an encoder's beside it, have the tensors that `cache` promises. */
    static void checkCache(Manifest manifest) {
        Manifest.CacheGeometry cache = manifest.cache;
        if (!CACHE_DTYPES.contains(cache.dtype)) {
            throw SatchelException.bundle(
                    Bundle.MANIFEST + ": a decoder needs a cache of float32 or int8, not " + Words.shown(cache));
        }
        for (Map.Entry<String, Manifest.Graph> entry : manifest.graphs.entrySet()) {
            checkCache(entry.getKey(), entry.getValue(), manifest);
        }
    }

    private static void checkCache(String role, Manifest.Graph graph, Manifest manifest) {
        Manifest.CacheGeometry cache = manifest.cache;
        boolean decoder = role.equals("decoder");
        Map<String, Object[]> axes = axes(graph);
        Map<String, String> dtypes = new LinkedHashMap<String, String>();
        int kept = 0;
        for (Manifest.Port port : ports(graph)) {
            dtypes.put(port.name, port.dtype);
        }
        for (String name : axes.keySet()) {
            kept += name.startsWith(PAST) ? 1 : 0;
        }
        for (Map.Entry<String, List<Object>> entry : promised(axes, decoder, manifest).entrySet()) {
            String name = entry.getKey();
            Object[] found = axes.get(name);
            List<Object> sizes = new ArrayList<Object>();
            for (int i = 1; found != null && i < found.length; i += 2) {
                sizes.add(found[i]);
            }
            if (!sizes.equals(entry.getValue())) {
                throw SatchelException.bundle(
                        Bundle.MANIFEST + ": " + Words.shown(name) + " has axes " + shown(found)
                                + ", whereas vocab_size and cache ask for " + entry.getValue(),
                        "BUNDLE_IO");
            }
            boolean held = !name.startsWith("logits") && !name.startsWith("cross");
            if (held && !dtypes.get(name).equals(cache.dtype)) {
                throw SatchelException.bundle(
                        Bundle.MANIFEST + ": " + Words.shown(name) + " is " + Words.shown(dtypes.get(name)) + ", cache "
                                + cache.dtype,
                        "BUNDLE_IO");
            }
        }
        if (decoder && kept != PARTS.length * cache.layers) {
            throw Rules.wrong("layers", cache.layers, kept / PARTS.length + ", as the graph has");
        }
    }

    /** The sizes of the tensors that a graph should have: of each layer up to the first that lacks one. */
    private static Map<String, List<Object>> promised(Map<String, Object[]> axes, boolean decoder, Manifest manifest) {
        Map<String, List<Object>> promised = new LinkedHashMap<String, List<Object>>();
        if (decoder) {
            promised.put("logits", Arrays.<Object>asList(manifest.vocabSize));
        }
        List<String> own = new ArrayList<String>();
        if (decoder) {
            own.add(PAST);
            own.add("present.");
        }
        if (manifest.family.equals("encoder-decoder")) {
            own.add("cross.");
        }
        List<Object> sizes = Arrays.<Object>asList(manifest.cache.kvHeads, manifest.cache.headDim);
        for (int layer = 0; layer < manifest.cache.layers; ++layer) {
            boolean whole = true;
            for (String prefix : own) {
                for (String part : PARTS) {
                    String name = prefix + layer + "." + part;
                    promised.put(name, sizes);
                    whole &= axes.containsKey(name);
                }
            }
            if (!whole) {
                break;
            }
        }
        return promised;
    }

    private static String shown(Object[] axes) {
        return Words.shown(axes == null ? null : Arrays.asList(axes));
    }
}
