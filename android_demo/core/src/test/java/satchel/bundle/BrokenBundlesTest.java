package satchel.bundle;

import static org.junit.Assert.assertTrue;
import static org.junit.Assume.assumeTrue;

import java.io.File;
import java.io.IOException;
import java.nio.charset.Charset;
import java.nio.file.Paths;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.Before;
import org.junit.Test;
import satchel.SatchelException;
import satchel.json.Json;

/**
 * Broken bundles and edited manifests of tests/broken_bundles.py, in the folder that the property satchel.broken
 * names: each gives the code that it gives in Python. Those that only loading finds are tried in LoadingTest.
 */
public class BrokenBundlesTest {
    private File folder;

    @Before
    public void isThere() {
        String name = System.getProperty("satchel.broken", "");
        assumeTrue("satchel.broken names no folder", !name.isEmpty());
        folder = new File(name);
    }

    @Test
    public void brokenOnesAreRefused() throws IOException {
        List<String> wrong = new ArrayList<String>();
        int count = 0;
        for (Object item : (List<?>) Json.parse(text("cases.json"))) {
            Map<?, ?> one = (Map<?, ?>) item;
            if (one.get("when").equals("read")) {
                ++count;
                File bundle = new File(new File(folder, (String) one.get("folder")), "bundle");
                compare((String) one.get("name"), (String) one.get("code"), outcome(bundle), wrong);
            }
        }
        assertTrue(count > 150);
        assertTrue(wrong.size() + " of " + count + ": " + wrong, wrong.isEmpty());
    }

    @Test
    public void editedManifestsAreRefused() throws IOException {
        List<String> wrong = new ArrayList<String>();
        int count = 0;
        for (Map.Entry<?, ?> kind : ((Map<?, ?>) Json.parse(text("manifests.json"))).entrySet()) {
            String good = (String) ((Map<?, ?>) kind.getValue()).get("good");
            for (Object item : (List<?>) ((Map<?, ?>) kind.getValue()).get("edits")) {
                List<?> edit = (List<?>) item;
                ++count;
                String body = edited(good, edit);
                compare(kind.getKey() + " " + edit.subList(0, 3), (String) edit.get(3), read(body), wrong);
            }
        }
        assertTrue(count > 1000);
        assertTrue(wrong.size() + " of " + count + ": " + wrong, wrong.isEmpty());
    }

    private static void compare(String name, String expected, String found, List<String> wrong) {
        boolean same = expected == null ? found == null : expected.equals(found);
        if (!same && wrong.size() < 20) {
            wrong.add(name + ": " + found + " in place of " + expected + "\n");
        }
    }

    /** What of a good manifest stands at its start and end, and between them what another has. */
    static String edited(String good, List<?> edit) {
        int start = good.offsetByCodePoints(0, ((Long) edit.get(0)).intValue());
        int end = good.offsetByCodePoints(good.length(), -((Long) edit.get(1)).intValue());
        String whole = good.substring(0, start) + edit.get(2) + good.substring(end);
        return Texts.sealed(whole.substring(0, whole.lastIndexOf('}') - 1));
    }

    private static String read(String text) {
        try {
            Sealed.read(text);
        } catch (SatchelException error) {
            return error.code;
        }
        return null;
    }

    private static String outcome(File bundle) {
        try {
            Bundle.open(bundle).awaitChecks();
        } catch (SatchelException error) {
            return error.code;
        }
        return null;
    }

    private String text(String name) throws IOException {
        byte[] bytes = java.nio.file.Files.readAllBytes(Paths.get(folder.getPath(), name));
        return new String(bytes, Charset.forName("UTF-8"));
    }
}
