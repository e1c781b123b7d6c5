package satchel.bundle;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The manifest: all that the runtime needs to know of a bundle, so that it guesses nothing. Parts that a bundle
 * does not have are null. Whole numbers in maps are Long.
 */
public final class Manifest {
    /** "decoder", "encoder" or "encoder-decoder". */
    public final String family;
    /** For example "llama". */
    public final String architecture;
    /** What the bundle was made for, for example "generate". */
    public final String task;
    /** Positions that a text may have. */
    public final int context;
    public final int vocabSize;
    /** By role: "decoder", "encoder", "text", "image". */
    public final Map<String, Graph> graphs;
    /** By name. */
    public final Map<String, FileEntry> files;
    public final Tokens tokens;
    public final Source source;
    public final CacheGeometry cache;
    public final Seq2seqUse seq2seq;
    public final Translation translation;
    public final TextInput text;
    public final Labels labels;
    public final Map<String, Object> image;
    public final Speech speech;
    public final Map<String, Object> audio;
    /** The options that the checkpoint recommends. */
    public final Map<String, Object> generation;
    public final Map<String, Object> chat;
    public final Map<String, Object> quantization;
    public final Map<String, Object> parity;
    public final Map<String, Object> quality;
    public final Map<String, Object> probe;
    /** False where a bundle was kept although its checks failed. */
    public final boolean verified;
    /** The oldest version that runs it. */
    public final String onnxruntime;
    public final List<String> requiredFeatures;
    public final String satchelVersion;
    /** What an app likes to keep; a reader leaves it alone. */
    public final Map<String, Object> extra;

    /** Of checked content. */
    Manifest(Fields fields) {
        family = fields.text("family");
        architecture = fields.text("architecture");
        task = fields.text("task");
        context = fields.whole("context", 0);
        vocabSize = fields.whole("vocab_size", 0);
        Map<String, Graph> roles = new LinkedHashMap<String, Graph>();
        for (Map.Entry<String, Object> entry : fields.at("graphs").values.entrySet()) {
            roles.put(entry.getKey(), new Graph(new Fields(entry.getValue())));
        }
        graphs = Collections.unmodifiableMap(roles);
        Map<String, FileEntry> listed = new LinkedHashMap<String, FileEntry>();
        for (Map.Entry<String, Object> entry : fields.at("files").values.entrySet()) {
            listed.put(entry.getKey(), new FileEntry(new Fields(entry.getValue())));
        }
        files = Collections.unmodifiableMap(listed);
        tokens = new Tokens(fields.at("tokens"));
        source = new Source(fields.at("source"));
        cache = fields.at("cache") == null ? null : new CacheGeometry(fields.at("cache"));
        seq2seq = fields.at("seq2seq") == null ? null : new Seq2seqUse(fields.at("seq2seq"));
        translation = fields.at("translation") == null ? null : new Translation(fields.at("translation"));
        text = fields.at("text") == null ? null : new TextInput(fields.at("text"));
        labels = fields.at("labels") == null ? null : new Labels(fields.at("labels"));
        image = fields.openOrNull("image");
        speech = fields.at("speech") == null ? null : new Speech(fields.at("speech"));
        audio = fields.openOrNull("audio");
        generation = fields.open("generation");
        chat = fields.openOrNull("chat");
        quantization = fields.open("quantization");
        parity = fields.open("parity");
        quality = fields.open("quality");
        probe = fields.open("probe");
        verified = fields.flag("verified", false);
        onnxruntime = fields.text("onnxruntime", "1.30");
        requiredFeatures = fields.texts("required_features");
        satchelVersion = fields.text("satchel_version", "");
        extra = fields.open("extra");
    }

    /** Whether a decoder's logits are the same for ids read together and one by one. */
    public boolean readsAheadExactly() {
        // A lone id takes another kernel, whose sums differ in the last bits, and int8 activations now and then
        // make that larger. An int8 cache rounds it away, and with a spare position there is no lone id. Of what
        // was read in a source, by attention in float32, that cannot be said.
        boolean exact = cache != null && (cache.dtype.equals("int8") || cache.spare > 0);
        return seq2seq == null && (exact || "fp32".equals(quantization.get("name")));
    }

    /** Whether the bundle has a tokenizer; one for images alone has none. */
    public boolean readsText() {
        return cache != null || text != null;
    }

    /** A file of the bundle: its size in bytes and its sha256 in hexadecimal. */
    public static final class FileEntry {
        public final long size;
        public final String sha256;

        FileEntry(Fields fields) {
            size = fields.count("size");
            sha256 = fields.text("sha256");
        }
    }

    /** An ONNX file of the bundle and its signature. */
    public static final class Graph {
        public final String file;
        public final List<Port> inputs;
        public final List<Port> outputs;

        Graph(Fields fields) {
            file = fields.text("file");
            inputs = ports(fields, "inputs");
            outputs = ports(fields, "outputs");
        }

        private static List<Port> ports(Fields fields, String name) {
            List<Port> ports = new ArrayList<Port>();
            for (Object item : fields.list(name)) {
                ports.add(new Port(new Fields(item)));
            }
            return Collections.unmodifiableList(ports);
        }
    }

    /** An input or output of a graph; an axis is a size (Integer) or the name of a dynamic one (String). */
    public static final class Port {
        public final String name;
        public final String dtype;
        public final Object[] axes;

        Port(Fields fields) {
            name = fields.text("name");
            dtype = fields.text("dtype");
            axes = fields.wholesOrTexts("axes");
        }
    }

    /**
     * Keys and values of a decoder: per layer two tensors [batch, kvHeads, capacity, headDim] of "float32" or
     * "int8". A call may write to {@code spare} positions behind the longest text.
     */
    public static final class CacheGeometry {
        public final int layers;
        public final int kvHeads;
        public final int headDim;
        public final String dtype;
        public final int spare;

        CacheGeometry(Fields fields) {
            layers = fields.whole("layers", 0);
            kvHeads = fields.whole("kv_heads", 0);
            headDim = fields.whole("head_dim", 0);
            dtype = fields.text("dtype", "float32");
            spare = fields.whole("spare", 0);
        }

        /** Memory of one position of one text, over all layers. */
        public long bytesPerPosition() {
            return (long) layers * 2 * kvHeads * headDim * (dtype.equals("int8") ? 1 : 4);
        }

        @Override
        public String toString() {
            return "CacheGeometry(layers=" + layers + ", kv_heads=" + kvHeads + ", head_dim=" + headDim
                    + ", dtype='" + dtype + "', spare=" + spare + ")";
        }
    }

    /** Ids of special tokens, null where there is none; generation ends at any of {@code eos}. */
    public static final class Tokens {
        public final Integer bos;
        public final int[] eos;
        public final Integer pad;
        public final Integer mask;

        Tokens(Fields fields) {
            bos = fields.wholeOrNull("bos");
            eos = fields.wholes("eos");
            pad = fields.wholeOrNull("pad");
            mask = fields.wholeOrNull("mask");
        }
    }

    /** How an encoder's texts are prepared, and what its vectors are. */
    public static final class TextInput {
        /** Tokens that a text is cut to. */
        public final int maxLength;
        /** Of older bundles; now the tokenizer does it. */
        public final boolean lowerCase;
        /** Vectors have unit length. */
        public final boolean normalized;
        public final String similarity;
        /** By name, they go before a text. */
        public final Map<String, String> prompts;
        /** The name of the one used unasked, or null. */
        public final String defaultPrompt;
        /** The id that fills every text up to the context, or null. */
        public final Integer padToContext;
        /** Of a text that is too long the end is kept. */
        public final boolean cutLeft;
        /** The model is told which tokens are of the second text of a pair. */
        public final boolean tokenTypes;

        TextInput(Fields fields) {
            maxLength = fields.whole("max_length", 0);
            lowerCase = fields.flag("lower_case", false);
            normalized = fields.flag("normalized", false);
            similarity = fields.text("similarity", "cosine");
            prompts = fields.named("prompts");
            defaultPrompt = fields.text("default_prompt");
            padToContext = fields.wholeOrNull("pad_to_context");
            cutLeft = fields.flag("cut_left", false);
            tokenTypes = fields.flag("token_types", true);
        }
    }

    /** Names of a head's outputs; {@code scores} is "softmax", "sigmoid" or "identity". */
    public static final class Labels {
        public final List<String> names;
        public final String scores;

        Labels(Fields fields) {
            names = fields.texts("names");
            scores = fields.text("scores");
        }
    }

    /** Targets begin with the id {@code start}, and a source has at most {@code sourceContext} tokens. */
    public static final class Seq2seqUse {
        public final int start;
        public final int sourceContext;

        Seq2seqUse(Fields fields) {
            start = fields.whole("start", 0);
            sourceContext = fields.whole("source_context", 0);
        }

        @Override
        public String toString() {
            return "Seq2seqUse(start=" + start + ", source_context=" + sourceContext + ")";
        }
    }

    /** How a translation model is told its languages. */
    public static final class Translation {
        /** In place of an id: that language's. */
        public static final String SOURCE = "source";
        public static final String TARGET = "target";

        /** The ids of their tokens, by name. */
        public final Map<String, Integer> languages;
        /** Before the ids of a source: Integer, or SOURCE and TARGET for those of the languages. */
        public final Object[] prefix;
        /** Behind them. */
        public final Object[] suffix;
        /**
         * How else a target's language is told: its id is "forced" after the first of the target's, or is that
         * first ("start"), or only stands in the "source".
         */
        public final String target;
        /** The language that is taken for granted, or null. */
        public final String sourceLang;
        public final String targetLang;
        /** In place of ids beyond the vocabulary: pieces that the model lacks; or null. */
        public final Integer unknown;

        Translation(Fields fields) {
            languages = fields.ids("languages");
            prefix = fields.wholesOrTexts("prefix");
            suffix = fields.wholesOrTexts("suffix");
            target = fields.text("target");
            sourceLang = fields.text("source_lang");
            targetLang = fields.text("target_lang");
            unknown = fields.wholeOrNull("unknown");
        }

        @Override
        public String toString() {
            return "Translation(languages=" + languages + ", prefix=" + Arrays.toString(prefix) + ", suffix="
                    + Arrays.toString(suffix) + ", target='" + target + "')";
        }
    }

    /**
     * How a speech model is asked to write. After its first id come those of the language and of the task, where
     * it has several, then {@code noTimestamps} unless timestamps are wanted.
     */
    public static final class Speech {
        public final Map<String, Integer> languages;
        public final Map<String, Integer> tasks;
        /** Heard where it is null. */
        public final String language;
        public final String task;
        /** The ids behind it are timestamps, in steps of the encoder; null where there are none. */
        public final Integer noTimestamps;
        /** Steps that the first timestamp of a window has at most, or null. */
        public final Integer latestStart;
        /** Whether they are wanted where nobody says. */
        public final boolean timestamps;

        Speech(Fields fields) {
            languages = fields.ids("languages");
            tasks = fields.ids("tasks");
            language = fields.text("language");
            task = fields.text("task", "transcribe");
            noTimestamps = fields.wholeOrNull("no_timestamps");
            latestStart = fields.wholeOrNull("latest_start");
            timestamps = fields.flag("timestamps", false);
        }
    }

    /** Where the weights came from; the licence is null where the checkpoint states none. */
    public static final class Source {
        public final String name;
        public final String sha256;
        public final String licence;

        Source(Fields fields) {
            name = fields.text("name");
            sha256 = fields.text("sha256");
            licence = fields.text("licence");
        }
    }
}
