package satchel.bundle;

import java.nio.charset.Charset;

/** Manifests for tests: small ones that are good, and the digest that goes with a text. */
final class Texts {
    static final String DECODER = "{\n"
            + " \"family\": \"decoder\",\n"
            + " \"architecture\": \"llama\",\n"
            + " \"task\": \"generate\",\n"
            + " \"context\": 64,\n"
            + " \"vocab_size\": 320,\n"
            + " \"graphs\": {\"decoder\": {\"file\": \"decoder.onnx\", \"inputs\": [\n"
            + "  {\"name\": \"input_ids\", \"dtype\": \"int64\", \"axes\": [\"batch\", \"length\"]},\n"
            + "  {\"name\": \"past_key_values.0.key\", \"dtype\": \"int8\", \"axes\": [\"rows\", 2, \"room\", 8]},\n"
            + "  {\"name\": \"past_key_values.0.value\", \"dtype\": \"int8\", \"axes\": [\"rows\", 2, \"room\", 8]}],\n"
            + "  \"outputs\": [\n"
            + "  {\"name\": \"logits\", \"dtype\": \"float32\", \"axes\": [\"rows\", 320]},\n"
            + "  {\"name\": \"present.0.key\", \"dtype\": \"int8\", \"axes\": [\"rows\", 2, \"room\", 8]},\n"
            + "  {\"name\": \"present.0.value\", \"dtype\": \"int8\", \"axes\": [\"rows\", 2, \"room\", 8]}]}},\n"
            + " \"files\": {FILES},\n"
            + " \"tokens\": {\"bos\": 1, \"eos\": [2, 3], \"pad\": null},\n"
            + " \"source\": {\"name\": \"tiny\", \"sha256\": \"ab\"},\n"
            + " \"cache\": {\"layers\": 1, \"kv_heads\": 2, \"head_dim\": 8, \"dtype\": \"int8\", \"spare\": 1},\n"
            + " \"generation\": {\"temperature\": 0.5, \"top_k\": 7},\n"
            + " \"onnxruntime\": \"1.30\",\n"
            + " \"extra\": {\"large\": 100000000000000000000},\n"
            + " \"format\": \"satchel-bundle\",\n"
            + " \"format_version\": 2";

    private Texts() {}

    /** The text of a JSON object without its last bracket, with the digest that goes with it. */
    static String sealed(String body) {
        String digest = Files.sha256(body.getBytes(Charset.forName("UTF-8")));
        return body + ",\n \"digest\": \"" + digest + "\"\n}\n";
    }

    /** A good manifest with one text in place of another, which has to be there. */
    static String with(String old, String other) {
        if (!DECODER.contains(old)) {
            throw new IllegalArgumentException(old);
        }
        return sealed(DECODER.replace(old, other).replace("FILES", ""));
    }
}
