package satchel.app.files;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.util.Collections;
import java.util.Map;
import org.junit.Before;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;
import satchel.SatchelException;

public final class BundleStoreTest {
    @Rule public final TemporaryFolder temporary = new TemporaryFolder();

    private final Bundles.Room disk = new Bundles.Room();
    private final Bundles.Stopping progress = new Bundles.Stopping();
    private File root;
    private BundleStore store;

    @Before
    public void makeStore() {
        root = new File(temporary.getRoot(), "bundles");
        store = new BundleStore(root, disk);
    }

    @Test
    public void installedUnderTheHashOfItsManifest() throws Exception {
        Map<String, byte[]> files = Bundles.files(300000);
        String name = install(files, "my bundle.zip");
        assertEquals(Bundles.sha256(files.get("manifest.json")), name);
        assertEquals(Collections.singletonList(name), store.names());
        assertTrue(store.has(name));
        assertEquals("my bundle", store.title(name));
        assertEquals(2, disk.synced); // its folder, then the one it is in
        Map<String, byte[]> read = Bundles.read(new FolderSource(store.folder(name)));
        assertEquals(files.keySet().size(), read.size());
        for (String file : files.keySet()) {
            assertArrayEquals(files.get(file), read.get(file));
        }
    }

    @Test
    public void fromAFolder() throws Exception {
        File folder = temporary.newFolder();
        Map<String, byte[]> files = Bundles.files(1000);
        for (Map.Entry<String, byte[]> file : files.entrySet()) {
            write(new File(folder, file.getKey()), file.getValue());
        }
        String name = store.install(new FolderSource(folder), "", progress, progress.cancel);
        assertNull(store.title(name));
        assertEquals("checkpoint", Summary.of(store, name, false).title);
    }

    @Test
    public void theSameAgainReplacesWhatIsDamaged() throws Exception {
        Map<String, byte[]> files = Bundles.files(1000);
        String name = install(files, "one");
        write(new File(store.folder(name), "encoder.onnx.data"), new byte[1000]);
        assertEquals(name, install(files, "two"));
        assertEquals(Collections.singletonList(name), store.names());
        assertEquals("two", store.title(name));
        assertArrayEquals(
                files.get("encoder.onnx.data"), Bundles.read(new FolderSource(store.folder(name))).get("encoder.onnx.data"));
    }

    @Test
    public void aWrongBitLeavesNothingBehind() throws Exception {
        for (String name : new String[] {"encoder.onnx", "encoder.onnx.data", "tokenizer.json"}) {
            Map<String, byte[]> files = Bundles.files(1000);
            files.get(name)[1] ^= 1;
            refused(files, "BUNDLE_HASH");
        }
        Map<String, byte[]> files = Bundles.files(1000);
        files.get("manifest.json")[200] ^= 1;
        refused(files, null);
    }

    @Test
    public void aFileThatIsMissing() throws Exception {
        Map<String, byte[]> files = Bundles.files(1000);
        files.remove("encoder.onnx.data");
        refused(files, "BUNDLE_FILE");
        files.remove("manifest.json");
        refused(files, "BUNDLE");
    }

    @Test
    public void aFileTooMuch() throws Exception {
        Map<String, byte[]> files = Bundles.files(1000);
        files.put("readme.txt", new byte[3]);
        refused(files, "BUNDLE");
    }

    @Test
    public void cancelledWhileCopyingAndWhileChecking() throws Exception {
        for (String at : new String[] {"encoder.onnx.data", Progress.CHECKING}) {
            Bundles.Stopping stopping = new Bundles.Stopping();
            stopping.at = at;
            try {
                store.install(Bundles.source(Bundles.zip("", Bundles.files(900000))), "", stopping, stopping.cancel);
                fail();
            } catch (SatchelException error) {
                assertEquals("CANCELLED", error.code);
            }
            assertArrayEquals(new String[0], root.list());
        }
    }

    @Test
    public void aDiskThatGetsFull() throws Exception {
        disk.free = 64L << 20;
        refused(Bundles.files(1000), "DISK_FULL");
    }

    @Test
    public void aSourceThatBreaksOff() throws Exception {
        BundleSource broken = new BundleSource() {
            @Override
            public void copyTo(Receiver receiver) throws IOException {
                throw new IOException("the card was pulled out");
            }
        };
        try {
            store.install(broken, "", progress, progress.cancel);
            fail();
        } catch (SatchelException error) {
            assertEquals("STORAGE", error.code);
            assertTrue(error.getMessage(), error.getMessage().contains("pulled out"));
        }
        assertArrayEquals(new String[0], root.list());
    }

    @Test
    public void deleted() throws Exception {
        String name = install(Bundles.files(1000), "one");
        store.delete(name);
        assertEquals(Collections.emptyList(), store.names());
        assertArrayEquals(new String[0], root.list());
        store.delete(name); // nothing to do
    }

    @Test
    public void leftoversAreSwept() throws Exception {
        String name = install(Bundles.files(1000), "one");
        assertTrue(new File(root, "123.tmp").mkdir());
        write(new File(root, "123.tmp/encoder.onnx"), new byte[3]);
        write(new File(root, name.replace(name.charAt(0), '0') + "0.title"), new byte[3]);
        store.sweep();
        assertEquals(2, root.list().length);
        assertEquals(Collections.singletonList(name), store.names());
        assertEquals("one", store.title(name));
    }

    @Test
    public void namesOfOthersAreRefused() {
        for (String name : new String[] {"", "..", "g2p", "../" + new String(new char[61]).replace('\0', 'a')}) {
            try {
                store.folder(name);
                fail();
            } catch (SatchelException error) {
                assertEquals("USAGE", error.code);
            }
        }
        assertFalse(new File(root, "x").exists());
    }

    @Test
    public void itsSummary() throws Exception {
        Summary summary = Summary.of(store, install(Bundles.files(123456), "texts.ZIP"), true);
        assertEquals("texts", summary.title);
        assertEquals("bert", summary.architecture);
        assertEquals("embed", summary.task);
        assertEquals("int8", summary.profile);
        assertEquals("apache-2.0", summary.licence);
        assertEquals("1.30", summary.onnxruntime);
        assertEquals(123463, summary.bytes);
        assertEquals("0.1 MB", summary.megabytes());
        assertEquals(Collections.singletonMap("encoder.mean_cosine", (Object) 0.999), summary.quality);
        assertEquals("least cosine", summary.checks.get(0).name);
        assertTrue(summary.checks.get(0).passed && summary.checks.get(0).atLeast && summary.verified && summary.builtIn);
        assertNull(summary.chat);
    }

    @Test
    public void titles() {
        assertEquals("a b", Title.of(" a\u202e b\n.zip"));
        assertEquals(80, Title.of(new String(new char[500]).replace('\0', 'x')).length());
        assertEquals(".zip", Title.of(".zip"));
    }

    private String install(Map<String, byte[]> files, String title) throws Exception {
        return store.install(Bundles.source(Bundles.zip("", files)), title, progress, progress.cancel);
    }

    private void refused(Map<String, byte[]> files, String code) throws Exception {
        try {
            install(files, "one");
            fail();
        } catch (SatchelException error) {
            if (code != null) {
                assertEquals(error.getMessage(), code, error.code);
            }
        }
        assertArrayEquals(new String[0], root.list());
        assertEquals(Collections.emptyList(), store.names());
    }

    private static void write(File file, byte[] bytes) throws IOException {
        FileOutputStream out = new FileOutputStream(file);
        out.write(bytes);
        out.close();
    }
}
