package satchel.generate;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import java.io.BufferedReader;
import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStreamReader;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.Assume;
import org.junit.Test;
import satchel.SatchelException;

public final class OptionsTest {
    private static final Map<String, Object> NONE = Collections.emptyMap();
    private static final File PAGE = new File("../../docs/runtime.md");

    static Map<String, Object> map(Object... pairs) {
        Map<String, Object> map = new LinkedHashMap<String, Object>();
        for (int i = 0; i < pairs.length; i += 2) {
            map.put((String) pairs[i], pairs[i + 1]);
        }
        return map;
    }

    private static void assertRefused(String message, Object... given) {
        try {
            Options.from(map(given), NONE);
        } catch (SatchelException error) {
            assertEquals("USAGE", error.code);
            assertTrue(error.getMessage(), error.getMessage().startsWith(message));
            return;
        }
        fail("taken: " + Arrays.deepToString(given));
    }

    @Test
    public void theTableIsThatOfTheDocuments() throws IOException {
        Assume.assumeTrue(PAGE.exists());
        List<String> expected = new ArrayList<String>();
        BufferedReader page = new BufferedReader(new InputStreamReader(new FileInputStream(PAGE), "UTF-8"));
        boolean inside = false;
        for (String line = page.readLine(); line != null; line = page.readLine()) {
            inside = (inside || line.startsWith("<!-- options:")) && !line.startsWith("<!-- /options");
            if (inside && line.startsWith("| `")) {
                expected.add(line.replace(", read_images", "")); // which this runtime does not have
            }
        }
        page.close();
        List<String> found = new ArrayList<String>();
        for (String name : Options.names()) {
            About about = Options.about(name);
            String unasked = about.unasked == null ? "off" : Values.text(about.unasked);
            StringBuilder without = new StringBuilder();
            for (String method : new String[] {"generate", "stream", "chat", "translate", "transcribe"}) {
                if (Options.unfit(method).contains(name)) {
                    without.append(without.length() == 0 ? " (not for " : ", ").append(method);
                }
            }
            String does = Options.help(name) + (without.length() == 0 ? "" : without + ")");
            found.add("| `" + name + "` | " + Options.expected(name) + " | " + unasked + " | " + does + " |");
        }
        assertEquals(expected, found);
    }

    @Test
    public void whatIsGivenGoesBeforeTheDefaults() {
        Options options = Options.from(map("top_k", 7, "top_p", null), map("top_k", 50, "top_p", 0.9, "bean", 1));
        assertEquals(Integer.valueOf(7), options.topK);
        assertEquals(0.9, options.topP, 0);
        assertEquals(1.0, options.temperature, 0);
        assertEquals(0.0, Options.from(NONE, NONE).temperature, 0);
    }

    @Test
    public void aNeutralValueIsOff() {
        for (String name : Options.names()) {
            Integer neutral = Options.about(name).neutral;
            if (neutral != null) {
                assertNull(name, Options.from(map(name, neutral), NONE).value(name));
            }
        }
    }

    @Test
    public void beamsOfABundleGoBeforeItsSampling() {
        Map<String, Object> advice = map("num_beams", 4, "temperature", 0.7, "length_penalty", 2.0);
        Options options = Options.from(NONE, advice);
        assertEquals(4, options.numBeams);
        assertEquals(0, options.temperature, 0);
        options = Options.from(map("top_k", 3), advice);
        assertEquals(1, options.numBeams);
        assertEquals(0.7, options.temperature, 0);
        assertEquals(1.0, options.lengthPenalty, 0);
    }

    @Test
    public void arraysAreLists() {
        Options options = Options.from(map("suppress_tokens", new int[] {1, 2}), NONE);
        assertEquals("[1, 2]", options.suppressTokens.toString());
        assertRefused("suppress_tokens = '[1.5]'; expected a list of ids", "suppress_tokens", new double[] {1.5});
    }

    @Test
    public void whatMakesNoSenseIsOneLine() {
        assertRefused("unknown option 'bean'; known: bad_words_ids, begin_suppress_tokens, early_stop", "bean", 1);
        assertRefused("temperature = -1e-05; expected a number from 0 to 10000", "temperature", -1e-5);
        assertRefused("top_k = True; expected a whole number from 1", "top_k", true);
        assertRefused("logit_bias = \"{'12': 5}\"; expected a mapping of ids", "logit_bias", map("12", 5));
        assertRefused("top_p has no effect at temperature 0, which is greedy", "top_p", 0.5, "temperature", 0);
        assertRefused("length_penalty has no effect without num_beams", "length_penalty", 0.5);
        assertRefused("top_k does not go with num_beams = 4: beams do not", "top_k", 5, "num_beams", 4);
        assertRefused("n_best = 5 needs num_beams of at least as many", "n_best", 5, "num_beams", 4);
        assertRefused("lookup does not go with num_beams = 2", "lookup", true, "num_beams", 2);
        assertRefused("min_length and min_new_tokens say the same", "min_length", 5, "min_new_tokens", 4);
    }

    @Test
    public void methodsTakeTheirOptions() {
        assertTrue(Options.unfit("stream").contains("num_beams"));
        assertFalse(Options.unfit("generate").contains("num_beams"));
        assertTrue(Options.unfit("generate").isEmpty());
    }
}
