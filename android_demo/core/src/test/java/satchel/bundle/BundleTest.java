package satchel.bundle;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.charset.Charset;
import java.nio.file.Path;
import java.nio.file.Paths;
import org.junit.Before;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;
import satchel.SatchelException;

public class BundleTest {
    private static final String[] NAMES = {"decoder.onnx", "decoder.onnx.data", "tokenizer.json"};

    @Rule
    public final TemporaryFolder place = new TemporaryFolder();

    private File folder;

    @Before
    public void write() throws IOException {
        folder = place.newFolder("bundle");
        for (String name : NAMES) {
            write(name, "content of " + name);
        }
        list(NAMES);
    }

    @Test
    public void aGoodOneIsOpened() {
        Bundle bundle = Bundle.open(folder);
        bundle.awaitChecks();
        assertEquals(23 + 28 + 25, bundle.size());
        assertEquals(new File(folder, "tokenizer.json"), bundle.file(Bundle.TOKENIZER));
        assertTrue(Bundle.manifestText(folder).endsWith("\n}\n"));
    }

    @Test
    public void whatIsNotThere() throws IOException {
        refused(new File(folder, "no"), "BUNDLE", "does not exist; expected a bundle made by satchel export");
        refused(place.newFolder("empty"), "BUNDLE", "has no manifest.json");
        assertTrue(new File(folder, "tokenizer.json").delete());
        refused(folder, "BUNDLE_FILE", "tokenizer.json is missing from");
    }

    @Test
    public void sizesAndHashes() throws IOException {
        write("decoder.onnx", "content of decoder.onnx.");
        refused(folder, "BUNDLE_HASH", "decoder.onnx has 24 bytes, manifest.json says 23; export");
        write("decoder.onnx", "Content of decoder.onnx");
        refused(folder, "BUNDLE_HASH", "decoder.onnx does not match manifest.json (its sha256 is ");
        write("decoder.onnx", "version https://git-lfs.github.com/spec/v1\noid sha256:1\n");
        refused(folder, "BUNDLE_HASH", "(it is a Git LFS pointer: run git lfs pull)");
        write("decoder.onnx", " \n<!DOCTYPE html>");
        refused(folder, "BUNDLE_HASH", "(it is a web page)");
    }

    @Test
    public void weightsAreHashedBeside() throws IOException {
        write("decoder.onnx.data", "Content of decoder.onnx.data");
        Bundle bundle = Bundle.open(folder);
        try {
            bundle.awaitChecks();
        } catch (SatchelException error) {
            assertEquals("BUNDLE_HASH", error.code);
            return;
        }
        fail("not refused");
    }

    @Test
    public void names() throws IOException {
        String[] others = {"../x", "/etc/passwd", "a\\\\b", "", ".", "..", "sub/x", "X", "x ", "-x", ".x"};
        for (String name : others) {
            list("decoder.onnx", name);
            refused(folder, "BUNDLE_PATH", "which is not a plain name");
        }
        list("decoder.onnx");
        refused(folder, "BUNDLE", "the tokenizer is 'tokenizer.json', which is not listed");
        list("tokenizer.json");
        refused(folder, "BUNDLE", "graph 'decoder' is 'decoder.onnx', which is not listed");
    }

    @Test
    public void linksAndFolders() throws IOException {
        Path file = Paths.get(folder.getPath(), "decoder.onnx");
        Path outside = Paths.get(place.newFile("secret").getPath());
        java.nio.file.Files.move(file, Paths.get(folder.getPath(), "renamed"));
        java.nio.file.Files.createSymbolicLink(file, Paths.get("renamed"));
        Bundle.open(folder).awaitChecks();
        java.nio.file.Files.delete(file);
        java.nio.file.Files.createSymbolicLink(file, outside);
        refused(folder, "BUNDLE_PATH", "decoder.onnx is not a regular file of the bundle");
        java.nio.file.Files.delete(file);
        java.nio.file.Files.createSymbolicLink(file, Paths.get("decoder.onnx"));
        refused(folder, "BUNDLE_FILE", "decoder.onnx is missing");
        java.nio.file.Files.delete(file);
        java.nio.file.Files.createDirectory(file);
        refused(folder, "BUNDLE_PATH", "decoder.onnx");
    }

    @Test
    public void manifestsAsFiles() throws IOException {
        java.nio.file.Files.write(Paths.get(folder.getPath(), "manifest.json"), new byte[] {'"', (byte) 0xe9, '"'});
        refused(folder, "BUNDLE", "manifest.json is not UTF-8");
        java.nio.file.Files.write(Paths.get(folder.getPath(), "manifest.json"), new byte[2 << 20]);
        refused(folder, "BUNDLE", "manifest.json is too large: at most 1048576 bytes are read");
    }

    private void list(String... names) throws IOException {
        StringBuilder files = new StringBuilder();
        for (String name : names) {
            File file = new File(folder, name);
            files.append(files.length() > 0 ? ", " : "").append('"').append(name).append("\": {\"size\": ")
                    .append(file.isFile() ? file.length() : 1).append(", \"sha256\": \"")
                    .append(file.isFile() ? Bundle.sha256(file) : "ab").append("\"}");
        }
        write("manifest.json", Texts.sealed(Texts.DECODER.replace("FILES", files)));
    }

    private void write(String name, String text) throws IOException {
        FileOutputStream out = new FileOutputStream(new File(folder, name));
        try {
            out.write(text.getBytes(Charset.forName("UTF-8")));
        } finally {
            out.close();
        }
    }

    private static void refused(File folder, String code, String words) {
        try {
            Bundle.open(folder);
        } catch (SatchelException error) {
            assertEquals(error.getMessage(), code, error.code);
            assertTrue(error.getMessage(), error.getMessage().contains(words));
            return;
        }
        fail("not refused: " + words);
    }
}
