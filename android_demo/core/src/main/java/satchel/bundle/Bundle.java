package satchel.bundle;

import java.io.File;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.nio.charset.Charset;
import java.util.LinkedHashMap;
import java.util.Map;
import satchel.SatchelException;

/** A folder whose files have been checked against its manifest: the contract between export and runtime. */
public final class Bundle {
    public static final String MANIFEST = "manifest.json";
    public static final String TOKENIZER = "tokenizer.json";
    /** How the names of files of weights end. */
    private static final String WEIGHTS = ".data";
    private static final int MANIFEST_LIMIT = 1 << 20;

    public final File folder;
    public final Manifest manifest;
    private final Thread hashing;
    private volatile Throwable failure;

    private Bundle(File folder, Manifest manifest) {
        this.folder = folder;
        this.manifest = manifest;
        hashing = new Thread(new Hashing(), "satchel-hashing");
        hashing.setDaemon(true);
    }

    /**
     * Reads the manifest and checks every listed file's name, size and sha256. The sha256 of weights and tokenizer is
     * computed beside what follows, which takes as long: {@link #awaitChecks} ends that, and no answer may be given
     * before. Graphs are checked here: native code reads them.
     *
     * <p>Raises BUNDLE, BUNDLE_VERSION, BUNDLE_PATH, BUNDLE_FILE, BUNDLE_HASH or BUNDLE_IO with the file or field
     * and what is wrong with it.
     */
    public static Bundle open(File folder) {
        Manifest manifest = Sealed.read(manifestText(folder));
        for (Map.Entry<String, Manifest.FileEntry> file : manifest.files.entrySet()) {
            Files.checkSize(folder, file.getKey(), file.getValue());
            if (!isCheckedLater(file.getKey())) {
                Files.checkHash(folder, file.getKey(), file.getValue());
            }
        }
        Bundle bundle = new Bundle(folder, manifest);
        bundle.checkComplete();
        bundle.hashing.start();
        return bundle;
    }

    private static boolean isCheckedLater(String name) {
        return name.endsWith(WEIGHTS) || name.equals(TOKENIZER);
    }

    /** Waits until all files are checked. Raises BUNDLE_HASH for the first file that is not as it was. */
    public void awaitChecks() {
        boolean interrupted = false;
        while (hashing.isAlive()) {
            try {
                hashing.join();
            } catch (InterruptedException error) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
        if (failure instanceof Error) {
            throw (Error) failure;
        }
        if (failure != null) {
            throw (RuntimeException) failure;
        }
    }

    /** Hash of a file, in hexadecimal. */
    public static String sha256(File path) {
        return Files.sha256(path);
    }

    /** Where a listed file lies. */
    public File file(String name) {
        return new File(folder, name);
    }

    /** Bytes of all listed files. */
    public long size() {
        long size = 0;
        for (Manifest.FileEntry file : manifest.files.values()) {
            size += file.size;
        }
        return size;
    }

    /** The text of a bundle's manifest, whatever it says. */
    public static String manifestText(File folder) {
        File path = new File(folder, MANIFEST);
        if (!path.isFile()) {
            String what = folder.exists() ? "has no " + MANIFEST : "does not exist";
            throw SatchelException.bundle(
                    SatchelException.shown(folder) + " " + what + "; expected a bundle made by satchel export");
        }
        Files.checkInside(folder, MANIFEST);
        byte[] data = Files.beginning(path, MANIFEST_LIMIT + 1);
        if (data.length > MANIFEST_LIMIT) {
            throw SatchelException.bundle(MANIFEST + " is too large: at most " + MANIFEST_LIMIT + " bytes are read");
        }
        try {
            return Charset.forName("UTF-8").newDecoder().decode(ByteBuffer.wrap(data)).toString();
        } catch (CharacterCodingException error) {
            throw SatchelException.bundle(MANIFEST + " is not UTF-8");
        }
    }

    /** It lists what it needs to run. */
    private void checkComplete() {
        Map<String, String> needed = new LinkedHashMap<String, String>();
        for (Map.Entry<String, Manifest.Graph> graph : manifest.graphs.entrySet()) {
            needed.put("graph " + SatchelException.shown(graph.getKey()), graph.getValue().file);
        }
        if (manifest.readsText()) {
            needed.put("the tokenizer", TOKENIZER);
        }
        for (Map.Entry<String, String> entry : needed.entrySet()) {
            if (!manifest.files.containsKey(entry.getValue())) {
                throw SatchelException.bundle(
                        MANIFEST + ": " + entry.getKey() + " is " + SatchelException.shown(entry.getValue())
                                + ", which is not listed");
            }
        }
    }

    private final class Hashing implements Runnable {
        @Override
        public void run() {
            try {
                for (Map.Entry<String, Manifest.FileEntry> file : manifest.files.entrySet()) {
                    if (isCheckedLater(file.getKey())) {
                        Files.checkHash(folder, file.getKey(), file.getValue());
                    }
                }
            } catch (RuntimeException error) {
                failure = error;
            } catch (Error error) {
                failure = error;
            }
        }
    }
}
