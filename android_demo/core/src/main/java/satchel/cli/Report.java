package satchel.cli;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import satchel.SatchelException;
import satchel.bundle.Bundle;
import satchel.bundle.Manifest;
import satchel.bundle.Words;
import satchel.json.Numbers;

/** A page about a bundle, for people. */
final class Report {
    private static final int HASH = 12; // digits of one that is only shown
    private static final int LABELS = 8; // that are listed

    private final Bundle bundle;
    private final Manifest manifest;

    private Report(Bundle bundle) {
        this.bundle = bundle;
        this.manifest = bundle.manifest;
    }

    /** The page. Raises BUNDLE where figures and notes are none of an exporter's: they have no type in the manifest. */
    static String describe(Bundle bundle) {
        try {
            return new Report(bundle).page();
        } catch (ClassCastException error) {
            throw odd("a value has another type");
        } catch (NullPointerException error) {
            throw odd("a value is missing");
        } catch (IndexOutOfBoundsException error) {
            throw odd("a list is too short");
        }
    }

    private static SatchelException odd(String why) {
        return SatchelException.bundle(Bundle.MANIFEST + " is no exporter's: " + SatchelException.shown(why));
    }

    private String page() {
        List<String[]> facts = new ArrayList<String[]>();
        fact(facts, "architecture", manifest.architecture + " (" + manifest.family + ", " + manifest.task + ")");
        inputs(facts);
        fact(facts, "source", manifest.source.name + ", sha256 " + start(manifest.source.sha256));
        boolean stated = manifest.source.licence != null && !manifest.source.licence.isEmpty();
        fact(facts, "licence", stated ? manifest.source.licence : "not stated by the checkpoint");
        quantisation(facts);
        fact(facts, "verified", manifest.verified ? "yes" : "NO: kept by --force");
        fact(facts, "needs", "onnxruntime >= " + manifest.onnxruntime);
        fact(facts, "kernels", "ONNX Runtime's own");
        if (manifest.cache != null) {
            double kilobytes = manifest.cache.bytesPerPosition() / 1024.0;
            fact(facts, "cache", Numbers.general(kilobytes, 3) + " KB per position, " + manifest.cache.dtype);
        }
        StringBuilder page = new StringBuilder(Table.left(facts));
        page.append("\n\n").append(files()).append("\n\n").append(checks());
        if (!manifest.quality.isEmpty()) {
            page.append("\n\n").append(Readable.plain("quality: " + pairs(manifest.quality)));
        }
        for (Map.Entry<String, Manifest.Graph> entry : manifest.graphs.entrySet()) {
            graph(entry.getKey(), entry.getValue(), page);
        }
        return page.toString();
    }

    private static void fact(List<String[]> facts, String name, String value) {
        facts.add(new String[] {name, value});
    }

    private static String start(String sha256) {
        return sha256.substring(0, Math.min(HASH, sha256.length()));
    }

    /** What goes in and what is said of it, a row for each part that the manifest has. */
    private void inputs(List<String[]> facts) {
        boolean heard = manifest.speech != null;
        String whose = manifest.seq2seq == null ? "" : heard ? " of a window's text" : " of a target";
        if (manifest.audio != null) {
            fact(facts, "sound", "windows of " + value(manifest.audio, "seconds") + " s, "
                    + value(manifest.audio, "sampling_rate") + " samples/s, "
                    + value(manifest.audio, "mels") + " mels");
        }
        if (manifest.seq2seq != null && !heard) {
            fact(facts, "sources", "up to " + manifest.seq2seq.sourceContext + " tokens");
        }
        if (manifest.readsText()) {
            fact(facts, "context", manifest.context + " positions" + whose);
            fact(facts, "vocabulary", String.valueOf(manifest.vocabSize));
        }
        if (manifest.family.equals("decoder")) {
            Object kind = manifest.chat == null ? null : manifest.chat.get("kind");
            boolean none = manifest.chat == null || !manifest.chat.containsKey("kind");
            fact(facts, "chat", none ? "no template" : text(kind));
        }
        if (heard) {
            String codes = joined(manifest.speech.languages.keySet(), " ");
            fact(facts, "languages", codes.isEmpty() ? "one" : codes);
        }
        if (manifest.text != null) {
            fact(facts, "texts", "cut to " + manifest.text.maxLength + " tokens");
            List<String> names = new ArrayList<String>();
            for (String name : manifest.text.prompts.keySet()) {
                names.add(SatchelException.shown(name));
            }
            if (!names.isEmpty()) {
                fact(facts, "prompts", joined(names, ", "));
            }
        }
        if (manifest.image != null) {
            List<?> size = (List<?>) value(manifest.image, "size");
            fact(facts, "images", text(size.get(1)) + " x " + text(size.get(0)) + " pixels");
        }
        if (manifest.labels != null) {
            List<String> names = new ArrayList<String>();
            for (String name : manifest.labels.names.subList(0, Math.min(LABELS, manifest.labels.names.size()))) {
                names.add(SatchelException.shown(name));
            }
            String more = manifest.labels.names.size() > LABELS ? ", ..." : "";
            fact(facts, "labels",
                    manifest.labels.names.size() + ", " + manifest.labels.scores + ": " + joined(names, ", ") + more);
        }
    }

    /** The profile's name, and what has which scheme: graphs, roles, tables, single layers. */
    private void quantisation(List<String[]> facts) {
        Map<String, Object> profile = manifest.quantization;
        fact(facts, "quantisation", text(profile.get("name")));
        for (Map.Entry<?, ?> graph : part(profile, "graphs").entrySet()) {
            fact(facts, "", graph.getKey() + ": " + scheme(graph.getValue()));
        }
        for (String part : new String[] {"roles", "layers"}) {
            Map<String, String> named = new LinkedHashMap<String, String>();
            for (Map.Entry<?, ?> one : part(profile, part).entrySet()) {
                String scheme = scheme(one.getValue());
                String before = named.get(scheme);
                named.put(scheme, (before == null ? "" : before + ", ") + one.getKey());
            }
            for (Map.Entry<String, String> one : named.entrySet()) {
                fact(facts, "", one.getValue() + ": " + one.getKey());
            }
        }
        if (profile.containsKey("tables")) {
            fact(facts, "", "tables: " + scheme(profile.get("tables")));
        }
    }

    private static Map<?, ?> part(Map<String, Object> profile, String name) {
        return profile.containsKey(name) ? (Map<?, ?>) profile.get(name) : new LinkedHashMap<Object, Object>();
    }

    private static String scheme(Object item) {
        Object kind = value((Map<?, ?>) item, "kind");
        Object block = value((Map<?, ?>) item, "block");
        return isTrue(block) ? text(kind) + ", blocks of " + text(block) : text(kind);
    }

    private String files() {
        List<String[]> rows = new ArrayList<String[]>();
        rows.add(new String[] {"file", "bytes", "sha256"});
        for (Map.Entry<String, Manifest.FileEntry> file : manifest.files.entrySet()) {
            String size = Numbers.grouped(file.getValue().size);
            rows.add(new String[] {file.getKey(), size, start(file.getValue().sha256)});
        }
        rows.add(new String[] {"all", Numbers.grouped(bundle.size()), ""});
        return Table.of(rows);
    }

    /** The fidelity checks of the export. */
    private String checks() {
        List<String[]> rows = new ArrayList<String[]>();
        rows.add(new String[] {"check", "value", "limit", ""});
        if (manifest.parity.containsKey("checks")) {
            for (Object item : (List<?>) manifest.parity.get("checks")) {
                Map<?, ?> check = (Map<?, ?>) item;
                String sign = isTrue(value(check, "at_least")) ? ">=" : "<=";
                String limit = sign + " " + Numbers.general(number(check, "limit"), 4);
                String state = isTrue(value(check, "passed")) ? "ok" : "FAILED";
                String measured = Numbers.general(number(check, "value"), 4);
                rows.add(new String[] {(String) value(check, "name"), measured, limit, state});
            }
        }
        return Table.of(rows);
    }

    private void graph(String role, Manifest.Graph graph, StringBuilder page) {
        String head = role + " graph: " + graph.inputs.size() + " inputs, " + graph.outputs.size() + " outputs"
                + GraphFile.operators(bundle.file(graph.file));
        page.append("\n\n").append(Readable.plain(head));
        ports("", graph.inputs, page);
        ports("-> ", graph.outputs, page);
    }

    /** Without the cache tensors of layers after the first. */
    private static void ports(String arrow, List<Manifest.Port> ports, StringBuilder page) {
        for (Manifest.Port port : ports) {
            if (port.name.indexOf('.') < 0 || port.name.contains(".0.")) {
                String line = arrow + port.name + " " + port.dtype + " " + text(Arrays.asList(port.axes));
                page.append("\n  ").append(Readable.plain(line));
            }
        }
    }

    private static String pairs(Map<String, Object> values) {
        StringBuilder out = new StringBuilder();
        for (Map.Entry<String, Object> entry : values.entrySet()) {
            Object value = entry.getValue();
            String shown = value instanceof Double ? Numbers.general((Double) value, 4) : text(value);
            out.append(out.length() > 0 ? ", " : "").append(entry.getKey()).append(' ').append(shown);
        }
        return out.toString();
    }

    /** A value that has to be there. */
    private static Object value(Map<?, ?> map, String name) {
        if (!map.containsKey(name)) {
            throw odd("'" + name + "'");
        }
        return map.get(name);
    }

    private static double number(Map<?, ?> map, String name) {
        return ((Number) value(map, name)).doubleValue();
    }

    private static boolean isTrue(Object value) {
        if (value instanceof Boolean) {
            return (Boolean) value;
        }
        return value instanceof Number ? ((Number) value).doubleValue() != 0 : value != null && !"".equals(value);
    }

    /** A value as Python writes it. */
    private static String text(Object value) {
        return value instanceof String ? (String) value : Words.of(value);
    }

    private static String joined(Iterable<String> names, String between) {
        StringBuilder out = new StringBuilder();
        for (String name : names) {
            out.append(out.length() > 0 ? between : "").append(name);
        }
        return out.toString();
    }
}
