package satchel;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;
import static org.junit.Assume.assumeTrue;

import java.io.File;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.After;
import org.junit.Test;
import satchel.generate.Generation;
import satchel.text.Message;

/** The models that write, of the bundles in the folder that the property satchel.bundles names. */
public class TextModelTest {
    private final List<TextModel> models = new ArrayList<TextModel>();

    /** Loads what writes text, at least one; else the test is skipped and says why. */
    private void load() {
        for (String name : new String[] {"ORT_DISABLE_TELEMETRY", "ORT_GQA_DISABLE_FLASH_ATTENTION"}) {
            assumeTrue(name + "=1 is not in the environment", "1".equals(System.getenv(name)));
        }
        String place = System.getProperty("satchel.bundles", "");
        assumeTrue("satchel.bundles names no folder", !place.isEmpty());
        File[] folders = new File(place).listFiles();
        assumeTrue(place + " is no folder", folders != null);
        String reason = "no bundle that writes text in " + place;
        for (File folder : folders) {
            try {
                Model model = Satchel.load(folder, 2);
                if (model instanceof TextModel) {
                    models.add((TextModel) model);
                } else {
                    model.close();
                }
            } catch (SatchelException error) { // other tests are about those
                reason = error.code.equals("ORT_TOO_OLD") ? error.getMessage() : reason;
            }
        }
        assumeTrue(reason, !models.isEmpty());
    }

    @After
    public void close() {
        for (TextModel model : models) {
            model.close();
            model.close(); // as often as you like
        }
    }

    @Test
    public void everyBundleIsVerified() {
        load();
        for (TextModel model : models) {
            Verification checks = Verification.of(model);
            assertTrue(checks.lines().toString(), checks.passed());
            checks.require();
            assertTrue(model.firstToken());
        }
    }

    @Test
    public void whicheverWayTheTextIsTheSame() {
        load();
        for (TextModel model : models) {
            GenerationOptions options = new GenerationOptions().maxNewTokens(12);
            Generation whole = model.generate("hello", options);
            final StringBuilder pieces = new StringBuilder();
            Generation stream = model.stream("hello", options, null, new TextListener() {
                @Override
                public void piece(String text) {
                    pieces.append(text);
                }
            });
            assertEquals(whole.text, pieces.toString());
            assertEquals(whole.text, stream.text);
            assertArrayEquals(whole.tokens, stream.tokens);
            assertEquals(whole.finishReason, stream.finishReason);
            Generation ids = model.generate(model.encode("hello"), options, null);
            assertArrayEquals(whole.tokens, ids.tokens);
            assertEquals(whole.text, model.decode(whole.tokens));
            Generation again = model.generate(Arrays.asList("hello"), options, null).get(0);
            assertArrayEquals(whole.tokens, again.tokens);
        }
    }

    @Test
    public void theListenerMayCancel() {
        load();
        for (TextModel model : models) {
            final Cancel cancel = new Cancel();
            GenerationOptions options = new GenerationOptions().untilContextIsFull();
            Generation stream = model.stream("hello", options, cancel, new TextListener() {
                @Override
                public void piece(String text) {
                    cancel.cancel();
                }
            });
            assertEquals("cancelled", stream.finishReason);
            assertEquals("cancelled", model.generate("hello", null, cancel).finishReason);
            assertTrue(!model.generate("hello", options.maxNewTokens(2)).finishReason.equals("cancelled"));
        }
    }

    @Test
    public void aConversationGoesOn() {
        load();
        for (TextModel model : models) {
            if (!(model instanceof DecoderModel) || model.manifest.chat == null) {
                continue;
            }
            DecoderModel decoder = (DecoderModel) model;
            GenerationOptions options = new GenerationOptions().maxNewTokens(8);
            List<Message> talk = new ArrayList<Message>();
            for (String words : new String[] {"Hello", "And then?"}) {
                talk.add(Message.user(words));
                Generation kept = decoder.chat(talk, options);
                Generation anew = decoder.generate(decoder.encodeChat(talk), options, null);
                assertArrayEquals(anew.tokens, kept.tokens);
                talk.add(Message.assistant(kept.text));
            }
        }
    }

    @Test
    public void whatIsRefused() {
        load();
        TextModel model = models.get(0);
        refused(model, "", null, "EMPTY_PROMPT", "the prompt is empty");
        refused(model, "a", new GenerationOptions().maxNewTokens(-1), "USAGE", "expected 0 or more");
        refused(model, "a", new GenerationOptions().stop(""), "USAGE", "expected 1 to 256 characters");
        refused(model, "a", new GenerationOptions().stop("x").numBeams(2), "USAGE", "stop does not go with");
        refused(model, "a", new GenerationOptions().numBeams(2).with("n_best", 2), "USAGE", "use nBest");
        model.close();
        refused(model, "a", null, "CLOSED", "the model is closed");
    }

    private static void refused(TextModel model, String prompt, GenerationOptions options, String code, String words) {
        try {
            model.generate(prompt, options);
        } catch (SatchelException error) {
            assertEquals(code, error.code);
            assertTrue(error.getMessage(), error.getMessage().contains(words));
            return;
        }
        fail("not refused");
    }
}
