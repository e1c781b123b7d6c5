package satchel.app.files;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import org.junit.Test;
import satchel.SatchelException;

public final class ZipSourceTest {
    @Test
    public void filesAtTheTopAndInOneFolder() throws Exception {
        Map<String, byte[]> files = Bundles.files(5000);
        for (String folder : new String[] {"", "my bundle/"}) {
            Map<String, byte[]> read = Bundles.read(Bundles.source(Bundles.zip(folder, files)));
            assertEquals(files.keySet(), read.keySet());
            for (String name : files.keySet()) {
                assertArrayEquals(files.get(name), read.get(name));
            }
        }
    }

    @Test
    public void whatAMacAddsIsPassedOver() throws Exception {
        Map<String, byte[]> files = new LinkedHashMap<String, byte[]>();
        files.put("bundle/", new byte[0]);
        files.put("bundle/decoder.onnx", new byte[10]);
        files.put("__MACOSX/bundle/._decoder.onnx", new byte[3]);
        files.put("bundle/.DS_Store", new byte[3]);
        Map<String, byte[]> read = Bundles.read(Bundles.source(Bundles.zip("", files)));
        assertEquals(Collections.singleton("decoder.onnx"), read.keySet());
    }

    @Test
    public void pathsThatLeadOut() throws Exception {
        for (String path : Arrays.asList("../a.onnx", "/a.onnx", "./a.onnx", "..\\a.onnx", "C:\\a.onnx", "a\0.onnx")) {
            refused(path, "BUNDLE_PATH");
        }
    }

    @Test
    public void foldersInside() throws Exception {
        refused("bundle/onnx/a.onnx", "BUNDLE_PATH");
        refused("../../a.onnx", "BUNDLE_PATH");
        refused("bundle/../a.onnx", "BUNDLE_PATH");
        refused("//a.onnx", "BUNDLE_PATH");
    }

    @Test
    public void namesThatNoBundleHas() throws Exception {
        char[] long65 = new char[65];
        Arrays.fill(long65, 'a');
        for (String name : Arrays.asList(".hidden", "A.onnx", "a b.onnx", "..", new String(long65), "caf\u00e9", "a:b")) {
            refused(name, "BUNDLE_PATH");
        }
    }

    @Test
    public void twoFolders() throws Exception {
        Map<String, byte[]> files = new LinkedHashMap<String, byte[]>();
        files.put("one/a.onnx", new byte[1]);
        files.put("two/b.onnx", new byte[1]);
        refused(Bundles.zip("", files), "BUNDLE");
        files.remove("two/b.onnx");
        files.put("b.onnx", new byte[1]);
        refused(Bundles.zip("", files), "BUNDLE");
    }

    @Test
    public void tooManyEntries() throws Exception {
        Map<String, byte[]> files = new LinkedHashMap<String, byte[]>();
        for (int i = 0; i <= ZipSource.MOST_ENTRIES; ++i) {
            files.put("file" + i, new byte[1]);
        }
        refused(Bundles.zip("", files), "BUNDLE");
    }

    @Test
    public void sizeBomb() throws Exception {
        Map<String, byte[]> files = Collections.singletonMap("a.onnx.data", new byte[64 << 20]);
        byte[] zip = Bundles.zip("", files);
        assertTrue(zip.length < 100000);
        refused(zip, "TOO_LARGE");
        // also where nobody asked for that entry
        refused(Bundles.zip("", Collections.singletonMap("__MACOSX/a", new byte[64 << 20])), "TOO_LARGE");
    }

    @Test
    public void whatShrinksWellButNotAbsurdly() throws Exception {
        StringBuilder tokens = new StringBuilder();
        for (int i = 0; i < 400000; ++i) {
            tokens.append("\"token ").append(i).append("\": ").append(i).append(",\n");
        }
        byte[] text = tokens.toString().getBytes("UTF-8");
        byte[] zip = Bundles.zip("", Collections.singletonMap("tokenizer.json", text));
        assertArrayEquals(text, Bundles.read(Bundles.source(zip)).get("tokenizer.json"));
    }

    @Test
    public void noArchive() throws Exception {
        refused(new byte[0], "BUNDLE");
        refused("a web page".getBytes(), "BUNDLE");
    }

    @Test
    public void aDamagedArchive() throws Exception {
        byte[] zip = Bundles.zip("", Bundles.files(50000));
        zip[20000] ^= 1;
        refused(zip, "BUNDLE");
    }

    @Test
    public void anArchiveThatWasCutShort() throws Exception {
        byte[] zip = Bundles.zip("", Bundles.files(50000));
        try {
            Bundles.read(Bundles.source(Arrays.copyOf(zip, 20000)));
            fail();
        } catch (java.io.IOException error) {
            assertTrue(error instanceof java.io.EOFException);
        }
    }

    private static void refused(String path, String code) throws Exception {
        refused(Bundles.zip("", Collections.singletonMap(path, new byte[1])), code);
    }

    private static void refused(byte[] zip, String code) throws Exception {
        try {
            Bundles.read(Bundles.source(zip));
            fail();
        } catch (SatchelException error) {
            assertEquals(error.getMessage(), code, error.code);
        }
    }
}
