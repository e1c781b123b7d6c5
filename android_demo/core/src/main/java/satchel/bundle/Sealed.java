package satchel.bundle;

import java.math.BigInteger;
import java.nio.charset.Charset;
import java.util.ArrayList;
import java.util.Map;
import java.util.TreeSet;
import satchel.SatchelException;
import satchel.json.Json;

/**
 * manifest.json, read only as it was written: it ends with the sha256 of what stands before. That finds damage and
 * edits, not an enemy, who can make a new one.
 */
final class Sealed {
    static final String FORMAT = "satchel-bundle";
    static final int FORMAT_VERSION = 2;
    /** The format version that had no digest. */
    private static final int UNSEALED = 1;
    private static final String BEFORE = ",\n \"digest\": \"";
    private static final String BEHIND = "\"\n}\n";
    private static final int DIGITS = 64;
    private static final Kind MANIFEST = manifest();

    private Sealed() {}

    /** The manifest of a bundle; BUNDLE and its like say which field is wrong, or that it was changed. */
    static Manifest read(String text) {
        Object value = json(text);
        if (!(value instanceof Map) || !FORMAT.equals(((Map<?, ?>) value).get("format"))) {
            throw SatchelException.bundle(Bundle.MANIFEST + " is not the manifest of a satchel bundle");
        }
        Map<?, ?> content = (Map<?, ?>) value;
        Object version = content.get("format_version");
        boolean whole = version instanceof Long || version instanceof BigInteger;
        BigInteger number = whole ? new BigInteger(version.toString()) : BigInteger.ZERO;
        if (number.signum() < 1) {
            throw SatchelException.bundle(
                    Bundle.MANIFEST + ": format_version " + Words.shown(version), "BUNDLE_VERSION");
        }
        if (number.compareTo(BigInteger.valueOf(FORMAT_VERSION)) > 0) {
            throw SatchelException.bundle(
                    "the bundle has format version " + number + ", this satchel reads up to " + FORMAT_VERSION
                            + ": update satchel",
                    "BUNDLE_VERSION");
        }
        if (number.intValue() > UNSEALED) {
            checkDigest(text);
            content.remove("digest");
        }
        MANIFEST.check(content, "manifest");
        Manifest manifest = new Manifest(new Fields(content));
        if (!manifest.requiredFeatures.isEmpty()) {
            TreeSet<String> missing = new TreeSet<String>(manifest.requiredFeatures);
            throw SatchelException.bundle(
                    "the bundle needs " + Words.shown(new ArrayList<String>(missing))
                            + ", which this satchel lacks: update it",
                    "BUNDLE_VERSION");
        }
        Rules.check(manifest, new Fields(content));
        return manifest;
    }

    private static Object json(String text) {
        try {
            if (text.startsWith("\ufeff")) {
                throw new IllegalArgumentException("Unexpected UTF-8 BOM");
            }
            return Json.parseLarge(text);
        } catch (IllegalArgumentException error) {
            throw SatchelException.bundle(
                    Bundle.MANIFEST + " is not valid JSON: " + SatchelException.shown(error.getMessage()));
        }
    }

    private static void checkDigest(String text) {
        int end = text.length() - BEHIND.length() - DIGITS - BEFORE.length();
        boolean fits = end >= 0 && text.startsWith(BEFORE, end) && text.endsWith(BEHIND);
        if (fits) {
            String digest = text.substring(end + BEFORE.length(), text.length() - BEHIND.length());
            fits = digest.equals(Files.sha256(text.substring(0, end).getBytes(Charset.forName("UTF-8"))));
        }
        if (!fits) {
            throw SatchelException.bundle(
                    Bundle.MANIFEST + " is not as it was written: export or download the bundle again or, where you "
                            + "changed it yourself, run satchel seal",
                    "BUNDLE_HASH");
        }
    }

    private static Kind manifest() {
        Kind file = new Kind.Keys().required("size", Kind.WHOLE).required("sha256", Kind.TEXT);
        Kind port = new Kind.Keys()
                .required("name", Kind.TEXT)
                .required("dtype", Kind.TEXT)
                .required("axes", Kind.list(Kind.WHOLE_OR_TEXT));
        Kind graph = new Kind.Keys()
                .required("file", Kind.TEXT)
                .required("inputs", Kind.list(port))
                .required("outputs", Kind.list(port));
        Kind open = Kind.map(Kind.ANY);
        return new Kind.Keys()
                .required("family", Kind.TEXT)
                .required("architecture", Kind.TEXT)
                .required("task", Kind.TEXT)
                .required("context", Kind.WHOLE)
                .required("vocab_size", Kind.WHOLE)
                .required("graphs", Kind.map(graph))
                .required("files", Kind.map(file))
                .required("tokens", tokens())
                .required("source", source())
                .may("cache", Kind.optional(cache()))
                .may("seq2seq", Kind.optional(seq2seq()))
                .may("translation", Kind.optional(translation()))
                .may("text", Kind.optional(text()))
                .may("labels", Kind.optional(labels()))
                .may("image", Kind.optional(open))
                .may("speech", Kind.optional(speech()))
                .may("audio", Kind.optional(open))
                .may("generation", open)
                .may("chat", Kind.optional(open))
                .may("quantization", open)
                .may("parity", open)
                .may("quality", open)
                .may("probe", open)
                .may("verified", Kind.SWITCH)
                .may("onnxruntime", Kind.TEXT)
                .may("required_features", Kind.list(Kind.TEXT))
                .may("satchel_version", Kind.TEXT)
                .may("extra", open)
                .may("format", Kind.TEXT)
                .may("format_version", Kind.WHOLE);
    }

    private static Kind tokens() {
        Kind id = Kind.optional(Kind.WHOLE);
        return new Kind.Keys().may("bos", id).may("eos", Kind.list(Kind.WHOLE)).may("pad", id).may("mask", id);
    }

    private static Kind source() {
        return new Kind.Keys()
                .required("name", Kind.TEXT)
                .required("sha256", Kind.TEXT)
                .may("licence", Kind.optional(Kind.TEXT));
    }

    private static Kind cache() {
        return new Kind.Keys()
                .required("layers", Kind.WHOLE)
                .required("kv_heads", Kind.WHOLE)
                .required("head_dim", Kind.WHOLE)
                .may("dtype", Kind.TEXT)
                .may("spare", Kind.WHOLE);
    }

    private static Kind seq2seq() {
        return new Kind.Keys().required("start", Kind.WHOLE).required("source_context", Kind.WHOLE);
    }

    private static Kind translation() {
        return new Kind.Keys()
                .required("languages", Kind.map(Kind.WHOLE))
                .required("prefix", Kind.list(Kind.WHOLE_OR_TEXT))
                .required("suffix", Kind.list(Kind.WHOLE_OR_TEXT))
                .required("target", Kind.TEXT)
                .may("source_lang", Kind.optional(Kind.TEXT))
                .may("target_lang", Kind.optional(Kind.TEXT))
                .may("unknown", Kind.optional(Kind.WHOLE));
    }

    private static Kind text() {
        return new Kind.Keys()
                .required("max_length", Kind.WHOLE)
                .may("lower_case", Kind.SWITCH)
                .may("normalized", Kind.SWITCH)
                .may("similarity", Kind.TEXT)
                .may("prompts", Kind.map(Kind.TEXT))
                .may("default_prompt", Kind.optional(Kind.TEXT))
                .may("pad_to_context", Kind.optional(Kind.WHOLE))
                .may("cut_left", Kind.SWITCH)
                .may("token_types", Kind.SWITCH);
    }

    private static Kind labels() {
        return new Kind.Keys().required("names", Kind.list(Kind.TEXT)).required("scores", Kind.TEXT);
    }

    private static Kind speech() {
        return new Kind.Keys()
                .may("languages", Kind.map(Kind.WHOLE))
                .may("tasks", Kind.map(Kind.WHOLE))
                .may("language", Kind.optional(Kind.TEXT))
                .may("task", Kind.TEXT)
                .may("no_timestamps", Kind.optional(Kind.WHOLE))
                .may("latest_start", Kind.optional(Kind.WHOLE))
                .may("timestamps", Kind.SWITCH);
    }
}
