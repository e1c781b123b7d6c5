package satchel.app.files;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.security.MessageDigest;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import satchel.Cancel;

/** Bundles that can be installed, though no model is in them. */
final class Bundles {
    static final byte[] TOKENIZER = "{}".getBytes();

    private Bundles() {}

    /** The files of a bundle by name, whose weights have so many bytes. */
    static Map<String, byte[]> files(int weights) throws Exception {
        byte[] noise = new byte[weights];
        new java.util.Random(weights).nextBytes(noise);
        Map<String, byte[]> files = new LinkedHashMap<String, byte[]>();
        files.put("encoder.onnx", "graph".getBytes());
        files.put("encoder.onnx.data", noise);
        files.put("tokenizer.json", TOKENIZER);
        files.put("manifest.json", manifest(files));
        return files;
    }

    /** A manifest that lists files, sealed. */
    static byte[] manifest(Map<String, byte[]> files) throws Exception {
        StringBuilder listed = new StringBuilder();
        for (Map.Entry<String, byte[]> file : files.entrySet()) {
            listed.append(listed.length() == 0 ? "" : ",").append("\n  \"").append(file.getKey()).append("\": {\"size\": ")
                    .append(file.getValue().length).append(", \"sha256\": \"").append(sha256(file.getValue())).append("\"}");
        }
        String body = "{\n \"family\": \"encoder\",\n \"architecture\": \"bert\",\n \"task\": \"embed\",\n \"context\": 16,"
                + "\n \"vocab_size\": 8,\n \"graphs\": {\"encoder\": {\"file\": \"encoder.onnx\", \"inputs\": ["
                + "{\"name\": \"input_ids\", \"dtype\": \"int64\", \"axes\": [\"batch\", \"length\"]}], \"outputs\": ["
                + "{\"name\": \"last_hidden_state\", \"dtype\": \"float32\", \"axes\": [\"batch\", \"length\", 4]},"
                + "{\"name\": \"embedding\", \"dtype\": \"float32\", \"axes\": [\"batch\", 4]}]}},"
                + "\n \"files\": {" + listed + "},\n \"tokens\": {\"bos\": null, \"eos\": [], \"pad\": 0, \"mask\": null},"
                + "\n \"source\": {\"name\": \"checkpoint\", \"sha256\": \"" + sha256(TOKENIZER) + "\","
                + " \"licence\": \"apache-2.0\"},\n \"text\": {\"max_length\": 16},"
                + "\n \"quantization\": {\"name\": \"int8\"},\n \"quality\": {\"encoder.mean_cosine\": 0.999},"
                + "\n \"parity\": {\"checks\": [{\"name\": \"least cosine\", \"value\": 0.99, \"limit\": 0.98,"
                + " \"at_least\": true, \"passed\": true}]},"
                + "\n \"verified\": true,\n \"onnxruntime\": \"1.30\","
                + "\n \"format\": \"satchel-bundle\",\n \"format_version\": 2";
        return (body + ",\n \"digest\": \"" + sha256(body.getBytes("UTF-8")) + "\"\n}\n").getBytes("UTF-8");
    }

    static String sha256(byte[] bytes) throws Exception {
        StringBuilder hex = new StringBuilder();
        for (byte value : MessageDigest.getInstance("SHA-256").digest(bytes)) {
            hex.append(String.format("%02x", value));
        }
        return hex.toString();
    }

    /** An archive of files, each in a folder ("" or one that ends in a slash). */
    static byte[] zip(String folder, Map<String, byte[]> files) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        ZipOutputStream zip = new ZipOutputStream(bytes);
        for (Map.Entry<String, byte[]> file : files.entrySet()) {
            zip.putNextEntry(new ZipEntry(folder + file.getKey()));
            zip.write(file.getValue());
            zip.closeEntry();
        }
        zip.close();
        return bytes.toByteArray();
    }

    static ZipSource source(byte[] zip) {
        return new ZipSource(new ByteArrayInputStream(zip));
    }

    /** What a source hands over. */
    static Map<String, byte[]> read(BundleSource source) throws IOException {
        final Map<String, byte[]> files = new LinkedHashMap<String, byte[]>();
        source.copyTo(new BundleSource.Receiver() {
            @Override
            public void file(String name, InputStream content) throws IOException {
                ByteArrayOutputStream bytes = new ByteArrayOutputStream();
                byte[] buffer = new byte[1000];
                for (int read = content.read(buffer); read >= 0; read = content.read(buffer)) {
                    bytes.write(buffer, 0, read);
                }
                files.put(name, bytes.toByteArray());
            }
        });
        return files;
    }

    /** A disk with so much room. */
    static final class Room implements BundleStore.Disk {
        long free = 1L << 40;
        int synced;

        @Override
        public long free(File folder) {
            return free;
        }

        @Override
        public void syncFolder(File folder) {
            ++synced;
        }
    }

    /** Cancels when it is told of a file. */
    static final class Stopping implements Progress {
        final Cancel cancel = new Cancel();
        String at = "never";

        @Override
        public void at(String file, long bytes) {
            if (file.equals(at)) {
                cancel.cancel();
            }
        }
    }
}
