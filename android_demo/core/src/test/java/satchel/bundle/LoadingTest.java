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
import org.junit.Test;
import satchel.Model;
import satchel.Satchel;
import satchel.SatchelException;
import satchel.json.Json;

/** The broken bundles of BrokenBundlesTest, and those that only loading finds. Needs ONNX Runtime's native library. */
public class LoadingTest {
    @Test
    public void brokenOnesAreRefusedWhenTheyAreLoaded() throws IOException {
        String folder = System.getProperty("satchel.broken", "");
        assumeTrue("satchel.broken names no folder", !folder.isEmpty());
        byte[] bytes = java.nio.file.Files.readAllBytes(Paths.get(folder, "cases.json"));
        List<String> wrong = new ArrayList<String>();
        int count = 0;
        for (Object item : (List<?>) Json.parse(new String(bytes, Charset.forName("UTF-8")))) {
            Map<?, ?> one = (Map<?, ?>) item;
            String found = outcome(new File(new File(folder, (String) one.get("folder")), "bundle"));
            String expected = (String) one.get("code");
            ++count;
            if (expected == null ? found != null : !(found != null && found.startsWith(expected + ": "))) {
                wrong.add(one.get("name") + ": " + found + " in place of " + expected + "\n");
            }
        }
        assertTrue(count > 200);
        assertTrue(wrong.size() + " of " + count + ": " + wrong, wrong.isEmpty());
    }

    private static String outcome(File bundle) {
        Model model;
        try {
            model = Satchel.load(bundle, 1);
        } catch (SatchelException error) {
            boolean line = error.getMessage().indexOf('\n') < 0 && error.getMessage().length() <= 600;
            return line ? error.code + ": " + error.getMessage() : "no line: " + error.getMessage();
        }
        model.close();
        return null;
    }
}
