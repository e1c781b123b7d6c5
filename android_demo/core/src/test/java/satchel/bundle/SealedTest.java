package satchel.bundle;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertFalse;
import static org.junit.Assert.assertNull;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import org.junit.Test;
import satchel.SatchelException;

public class SealedTest {
    private static final String GOOD = Texts.with("FILES", "");

    @Test
    public void whatStandsInAManifestIsRead() {
        Manifest manifest = Sealed.read(GOOD);
        assertEquals("llama", manifest.architecture);
        assertEquals(64, manifest.context);
        assertEquals(Integer.valueOf(1), manifest.tokens.bos);
        assertNull(manifest.tokens.pad);
        assertArrayEquals(new int[] {2, 3}, manifest.tokens.eos);
        assertEquals(7L, manifest.generation.get("top_k"));
        assertEquals(0.5, manifest.generation.get("temperature"));
        assertEquals(32, manifest.cache.bytesPerPosition());
        assertEquals(320, manifest.graphs.get("decoder").outputs.get(0).axes[1]);
        assertTrue(manifest.readsAheadExactly());
        assertTrue(manifest.readsText());
        assertFalse(manifest.verified);
        assertEquals("1.30", manifest.onnxruntime);
        assertEquals(Long.MAX_VALUE, manifest.extra.get("large")); // nobody reads it: as near as a long is
    }

    @Test
    public void whatIsReadCannotBeChanged() {
        try {
            Sealed.read(GOOD).generation.put("seed", 1L);
            fail();
        } catch (UnsupportedOperationException expected) {
            assertTrue(true);
        }
    }

    @Test
    public void everyChangeIsFound() {
        refused(GOOD.replace("llama", "lamas"), "BUNDLE_HASH", "satchel seal");
        refused(GOOD.trim(), "BUNDLE_HASH", "as it was written");
        refused(GOOD + "\n", "BUNDLE_HASH", "as it was written");
        refused(GOOD.replace("\n", "\r\n"), "BUNDLE_HASH", "as it was written");
        refused(Texts.DECODER.replace("FILES", "") + "\n}\n", "BUNDLE_HASH", "as it was written");
    }

    @Test
    public void versions() {
        refused(with("\"format_version\": 2", "\"format_version\": 3"), "BUNDLE_VERSION", "version 3, this satchel");
        refused(with("\"format_version\": 2", "\"format_version\": 100000000000000000000"),
                "BUNDLE_VERSION", "update satchel");
        refused(with("\"format_version\": 2", "\"format_version\": true"), "BUNDLE_VERSION", "True");
        refused(with("\"format_version\": 2", "\"format_version\": \"2\""), "BUNDLE_VERSION", "'2'");
        refused(with("\"format_version\": 2", "\"required_features\": [\"b\", \"a\"], \"format_version\": 2"),
                "BUNDLE_VERSION", "\"['a', 'b']\"");
        String old = Texts.DECODER.replace("FILES", "").replace("_version\": 2", "_version\": 1") + "}";
        assertEquals("llama", Sealed.read(old).architecture);
        refused(old.replace("_version\": 1}", "_version\": 1, \"digest\": \"00\"}"), "BUNDLE",
                "'digest', which is unknown");
    }

    @Test
    public void whatIsNoManifest() {
        refused("", "BUNDLE", "not valid JSON");
        refused("[]", "BUNDLE", "not the manifest of a satchel bundle");
        refused("{\"name\": \"An app\"}", "BUNDLE", "not the manifest");
        refused("{\"format\": 1, \"format\": 2}", "BUNDLE", "occurs twice");
        refused("\ufeff{}", "BUNDLE", "BOM");
        refused("{\"a\": \"\\ud800\"}", "BUNDLE", "not valid JSON");
        StringBuilder deep = new StringBuilder();
        for (int i = 0; i < 100000; ++i) {
            deep.append("{\"a\":");
        }
        refused(deep.toString(), "BUNDLE", "not valid JSON");
    }

    @Test
    public void typesAndNames() {
        refused(with("\"context\": 64", "\"context\": \"64\""), "BUNDLE", "context = '64' has the wrong type");
        refused(with("\"context\": 64", "\"context\": 64.0"), "BUNDLE", "context = 64.0 has the wrong type");
        refused(with("\"context\": 64", "\"context\": true"), "BUNDLE", "context = True has the wrong type");
        refused(with("\"context\": 64", "\"context\": null"), "BUNDLE", "context = None has the wrong type");
        refused(with("\"context\": 64", "\"contexts\": 64"), "BUNDLE", "manifest lacks context");
        refused(with("\"eos\": [2, 3]", "\"eos\": [\"2\"]"), "BUNDLE", "eos = '2' has the wrong type");
        refused(with("\"rows\", 320", "\"rows\", 1.5"), "BUNDLE", "axes = 1.5 has the wrong type");
        refused(with("\"spare\": 1}", "\"spare\": 1, \"future\": 1}"), "BUNDLE",
                "cache has 'future', which is unknown");
        refused(with("\"cache\": {\"layers\": 1,", "\"cache\": {"), "BUNDLE", "cache lacks layers");
        refused(with("{\"file\": \"decoder.onnx\",", "{"), "BUNDLE", "graphs 'decoder' lacks file");
    }

    @Test
    public void whatDoesNotGoTogether() {
        refused(with("\"family\": \"decoder\"", "\"family\": \"vision\""), "BUNDLE", "family 'vision' is unknown");
        refused(with("\"task\": \"generate\"", "\"task\": \"embed\""), "BUNDLE",
                "expected of the family decoder: generate");
        refused(with("\"graphs\": {\"decoder\"", "\"graphs\": {\"encoder\""), "BUNDLE",
                "graphs = 'encoder'; expected decoder for generate");
        refused(with("\"generation\": {", "\"labels\": {\"names\": [], \"scores\": \"x\"}, \"generation\": {"),
                "BUNDLE", "labels has no place in a bundle made for generate");
        refused(with("\"context\": 64", "\"context\": 0"), "BUNDLE", "context = 0; expected 1..2147483647");
        refused(with("\"context\": 64", "\"context\": 100000000000000000000"), "BUNDLE",
                "context = 100000000000000000000; expected");
        refused(with("\"spare\": 1", "\"spare\": -1"), "BUNDLE", "spare = -1; expected 0 or 1");
        refused(with("\"1.30\"", "\"1.30a\""), "BUNDLE", "onnxruntime = '1.30a'; expected a version");
        refused(with("\"bos\": 1", "\"bos\": 320"), "BUNDLE", "tokens: bos: id 320 is outside 0..319");
        refused(with("\"vocab_size\": 320", "\"vocab_size\": 321"), "BUNDLE_IO", "'logits' has axes \"['rows', 320]\"");
        refused(with("\"layers\": 1", "\"layers\": 2"), "BUNDLE_IO", "'past_key_values.1.key' has axes None");
        refused(with("\"kv_heads\": 2", "\"kv_heads\": 4"), "BUNDLE_IO", "ask for [4, 8]");
        refused(with("\"dtype\": \"int8\", \"spare\"", "\"dtype\": \"float32\", \"spare\""), "BUNDLE_IO",
                "is 'int8', cache float32");
        refused(with("\"dtype\": \"int8\", \"spare\"", "\"dtype\": \"float16\", \"spare\""), "BUNDLE",
                "a decoder needs a cache of float32 or int8, not");
    }

    private static String with(String old, String other) {
        return Texts.with(old, other);
    }

    private static void refused(String text, String code, String words) {
        try {
            Sealed.read(text);
        } catch (SatchelException error) {
            assertEquals(error.getMessage(), code, error.code);
            assertEquals(4, error.exitStatus);
            assertTrue(error.getMessage(), error.getMessage().contains(words));
            return;
        }
        fail("not refused: " + words);
    }
}
