package satchel.cli;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;

import java.math.BigInteger;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import org.junit.Test;

public class ArgumentsTest {
    private static Given read(Verb verb, String... words) {
        return verb.arguments().read(Arrays.asList(words));
    }

    @Test
    public void optionsAnywhere() {
        Given given = read(new Embed(), "OUT", "--window", "3", "one", "--out=x.npy", "two");
        assertEquals("OUT", given.text("bundle"));
        assertEquals(Arrays.asList("one", "two"), given.texts("text"));
        assertEquals(Integer.valueOf(3), given.whole("window"));
        assertEquals("x.npy", given.text("out"));
        assertNull(given.whole("threads"));
        assertFalse(given.flag("overwrite"));
        given = read(new Embed(), "OUT", "--", "--window");
        assertEquals(Collections.singletonList("--window"), given.texts("text"));
    }

    @Test
    public void valuesOfOptions() {
        Given given = read(new Generate(), "b", "- a dash", "--length-penalty", "-1.5",
                "--seed", "123456789012345678901", "--early-stopping", "never", "--no-lookup", "--renormalize-logits",
                "--stop", "a", "b", "--max-new", "7", "--logit-bias", "{\"12\": -5}", "--bad-words-ids", "[[5, 6]]",
                "--temperature", "1e-2", "--num-beams", "2");
        Map<String, Object> chosen = OptionFlags.withLength(given, "generate");
        assertEquals("- a dash", given.text("prompt"));
        assertEquals(-1.5, chosen.get("length_penalty"));
        assertEquals(new BigInteger("123456789012345678901"), chosen.get("seed"));
        assertEquals("never", chosen.get("early_stopping"));
        assertEquals(Boolean.FALSE, chosen.get("lookup"));
        assertEquals(Boolean.TRUE, chosen.get("renormalize_logits"));
        assertEquals(Arrays.asList("a", "b"), given.texts("stop"));
        assertEquals(7L, chosen.get("max_new_tokens"));
        assertEquals(Collections.singletonMap(12L, -5L), chosen.get("logit_bias"));
        assertEquals(Collections.singletonList(Arrays.asList(5L, 6L)), chosen.get("bad_words_ids"));
        assertEquals(0.01, chosen.get("temperature"));
        assertEquals(2L, chosen.get("num_beams"));
        assertEquals(10, chosen.size());
        assertEquals(Boolean.TRUE, Values.read(Argument.Read.WORD, "true"));
    }

    @Test
    public void pairs() {
        Given given = read(new Classify(), "b", "--pair", "x", "y", "--pair", "z", "-1");
        assertEquals(Arrays.asList(Arrays.asList("x", "y"), Arrays.asList("z", "-1")), given.values.get("pair"));
    }

    @Test
    public void everyExampleCanBeRead() {
        int examples = 0;
        for (Verb verb : Main.VERBS) {
            for (String example : verb.examples) {
                List<String> words = Shell.words(example);
                assertEquals(Arrays.asList("satchel", verb.name), words.subList(0, 2));
                assertTrue(verb.arguments().read(words.subList(2, words.size())).has("bundle"));
                ++examples;
            }
            for (Argument argument : verb.arguments().declared) {
                assertFalse(verb.name + " " + argument.flag, argument.help.isEmpty());
            }
        }
        assertTrue(examples >= Main.VERBS.size());
    }
}
