package satchel.bundle;

import java.math.BigInteger;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import satchel.SatchelException;

/**
 * What a manifest must say as a whole: fields that go with its task, and sizes that agree. A manifest edited by hand
 * is refused by the field that no longer fits, before a session is made. Types are those of Kind.
 */
final class Rules {
    static final long SIZE_LIMIT = 1L << 31;
    private static final List<String> SCORES = Arrays.asList("softmax", "sigmoid", "identity");
    private static final List<String> SIMILARITIES = Arrays.asList("cosine", "dot", "euclidean", "manhattan");

    private Rules() {}

    /** Raises BUNDLE or BUNDLE_IO, naming the field, where a manifest contradicts itself. */
    static void check(Manifest manifest, Fields content) {
        checkTask(manifest, content);
        checkSizes(manifest, content);
        if (!isVersion(manifest.onnxruntime)) {
            throw wrong("onnxruntime", manifest.onnxruntime, "a version, such as 1.30");
        }
        checkTokens(manifest);
        if (manifest.text != null) {
            checkText(manifest.text, manifest);
        }
        if (manifest.labels != null) {
            checkLabels(manifest.labels);
        }
        if (manifest.seq2seq != null) {
            TargetRules.check(manifest);
        }
        if (manifest.family.equals("encoder")) {
            for (Map.Entry<String, Manifest.Graph> entry : manifest.graphs.entrySet()) {
                GraphRules.checkTower(entry.getKey(), entry.getValue(), manifest);
            }
        }
        if (manifest.cache != null) {
            GraphRules.checkCache(manifest);
        }
    }

    static SatchelException wrong(String name, Object value, String expected) {
        return SatchelException.bundle(
                Bundle.MANIFEST + ": " + name + " = " + Words.shown(value) + "; expected " + expected);
    }

    /** Task, family, roles of graphs and the fields that depend on the task go together. */
    private static void checkTask(Manifest manifest, Fields content) {
        if (!Task.families().contains(manifest.family)) {
            throw SatchelException.bundle(
                    Bundle.MANIFEST + ": family " + Words.shown(manifest.family) + " is unknown to this satchel");
        }
        Task task = Task.of(manifest.task);
        if (task == null || !task.family.equals(manifest.family)) {
            String known = Words.joined(Task.ofFamily(manifest.family));
            throw wrong("task", manifest.task, "of the family " + manifest.family + ": " + known);
        }
        if (!manifest.graphs.keySet().equals(task.roles)) {
            String roles = manifest.graphs.isEmpty() ? "none" : Words.joined(manifest.graphs.keySet());
            String expected = Words.joined(new TreeSet<String>(task.roles));
            throw wrong("graphs", roles, expected + " for " + manifest.task);
        }
        for (String name : Task.fields()) {
            boolean given = content.values.get(name) != null;
            if (given && !task.needs.contains(name) && !task.may.contains(name)) {
                throw SatchelException.bundle(
                        Bundle.MANIFEST + ": " + name + " has no place in a bundle made for " + manifest.task);
            }
            if (!given && task.needs.contains(name)) {
                throw SatchelException.bundle(
                        Bundle.MANIFEST + ": a bundle made for " + manifest.task + " lacks " + name);
            }
        }
    }

    /** Sizes are possible. */
    private static void checkSizes(Manifest manifest, Fields content) {
        Map<String, Object> sizes = new LinkedHashMap<String, Object>();
        if (manifest.readsText()) {
            sizes.put("context", content.values.get("context"));
            sizes.put("vocab_size", content.values.get("vocab_size"));
        }
        if (manifest.cache != null) {
            for (String name : new String[] {"layers", "kv_heads", "head_dim"}) {
                sizes.put(name, content.at("cache").values.get(name));
            }
        }
        if (manifest.seq2seq != null) {
            sizes.put("source_context", content.at("seq2seq").values.get("source_context"));
        }
        for (Map.Entry<String, Object> entry : sizes.entrySet()) {
            BigInteger size = new BigInteger(entry.getValue().toString());
            if (size.signum() < 1 || size.compareTo(BigInteger.valueOf(SIZE_LIMIT)) >= 0) {
                throw wrong(entry.getKey(), entry.getValue(), "1.." + (SIZE_LIMIT - 1));
            }
        }
        if (manifest.cache != null && manifest.cache.spare != 0 && manifest.cache.spare != 1) {
            throw wrong("spare", manifest.cache.spare, "0 or 1");
        }
    }

    /** Whether a text is two or three whole numbers with points between. */
    private static boolean isVersion(String text) {
        int parts = 0;
        int digits = 0;
        for (int i = 0; i <= text.length(); ++i) {
            char c = i < text.length() ? text.charAt(i) : '.';
            if (c >= '0' && c <= '9') {
                ++digits;
            } else if (c == '.' && digits > 0) {
                ++parts;
                digits = 0;
            } else {
                return false;
            }
        }
        return parts == 2 || parts == 3;
    }

    private static void checkTokens(Manifest manifest) {
        Manifest.Tokens tokens = manifest.tokens;
        checkId("tokens: bos", tokens.bos, manifest.vocabSize);
        for (int id : tokens.eos) {
            checkId("tokens: eos", id, manifest.vocabSize);
        }
        checkId("tokens: pad", tokens.pad, manifest.vocabSize);
        checkId("tokens: mask", tokens.mask, manifest.vocabSize);
    }

    static void checkId(String name, Integer id, int vocabSize) {
        if (id != null && (id < 0 || id >= vocabSize)) {
            throw SatchelException.bundle(
                    Bundle.MANIFEST + ": " + name + ": id " + id + " is outside 0.." + (vocabSize - 1));
        }
    }

    private static void checkText(Manifest.TextInput text, Manifest manifest) {
        if (text.maxLength < 1 || text.maxLength > manifest.context) {
            throw wrong("max_length", text.maxLength, "1.." + manifest.context);
        }
        if (!SIMILARITIES.contains(text.similarity)) {
            throw wrong("similarity", text.similarity, Words.joined(SIMILARITIES));
        }
        if (text.defaultPrompt != null && !text.prompts.containsKey(text.defaultPrompt)) {
            throw wrong("default_prompt", text.defaultPrompt, "the name of one of the prompts");
        }
        checkId("pad_to_context", text.padToContext, manifest.vocabSize);
    }

    private static void checkLabels(Manifest.Labels labels) {
        if (!SCORES.contains(labels.scores)) {
            throw wrong("scores", labels.scores, Words.joined(SCORES));
        }
        if (labels.names.isEmpty()) {
            throw wrong("labels", labels.names, "names");
        }
    }
}
