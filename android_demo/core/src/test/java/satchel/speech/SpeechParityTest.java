package satchel.speech;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;

import java.io.IOException;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.Test;
import satchel.encoder.Cases;

/** What Python does with the same: features of sounds, rules and cuts of timestamps, names of languages. */
public class SpeechParityTest {
    private static final int END = 20;
    private static final int FIRST = 30;
    private static final int STEPS = 50;
    private static final float CLOSE = 1e-6f;

    @Test
    public void featuresAreThose() throws IOException {
        for (Map<?, ?> one : Cases.of(getClass(), "features")) {
            Map<String, Object> raw = new LinkedHashMap<String, Object>();
            for (Map.Entry<?, ?> entry : ((Map<?, ?>) one.get("audio")).entrySet()) {
                raw.put((String) entry.getKey(), entry.getValue());
            }
            AudioFormat form = new AudioFormat(raw);
            float[] sound = Arrays.copyOf(SampleSounds.of(form, 2)[1], Cases.whole(one, "length"));
            Features found = form.logMel(sound, Cases.whole(one, "silence"));
            assertArrayEquals(Cases.ints(one.get("shape")), new int[] {found.mels, found.frames});
            float[] wanted = Cases.floats(one.get("found"));
            float[] some = new float[wanted.length];
            for (int i = 0; i < some.length; ++i) {
                some[i] = found.values[97 * i];
            }
            assertArrayEquals(wanted, some, CLOSE);
        }
    }

    @Test
    public void rulesAreThose() throws IOException {
        for (Map<?, ?> one : Cases.of(getClass(), "rules")) {
            int[] tokens = Cases.ints(one.get("tokens"));
            int[] text = new int[tokens.length + 2];
            System.arraycopy(tokens, 0, text, 2, tokens.length);
            float[] scores = Cases.floats(one.get("scores"));
            Integer latest = one.get("latest") == null ? null : (Integer) Cases.whole(one, "latest");
            TimeRules rules = new TimeRules(new Timestamps(FIRST, END, latest));
            rules.change(scores, 0, scores.length, text, text.length, tokens.length);
            StringBuilder ruled = new StringBuilder();
            for (int id = 0; id < scores.length; ++id) {
                ruled.append(scores[id] == Float.NEGATIVE_INFINITY ? (ruled.length() > 0 ? ", " : "") + id : "");
            }
            assertEquals(one.toString(), one.get("found").toString(), "[" + ruled + "]");
        }
    }

    @Test
    public void cutsAreThose() throws IOException {
        for (Map<?, ?> one : Cases.of(getClass(), "cut")) {
            Timestamps.Cuts found = new Timestamps(FIRST, END, null).cut(Cases.ints(one.get("tokens")), STEPS);
            List<?> wanted = (List<?>) one.get("found");
            assertEquals(one.toString(), wanted.size(), found.cuts.size());
            assertEquals(Cases.whole(one, "following"), found.following);
            for (int i = 0; i < wanted.size(); ++i) {
                Timestamps.Cut cut = found.cuts.get(i);
                List<?> part = (List<?>) wanted.get(i);
                assertEquals(part.get(0), (long) cut.start);
                assertEquals(part.get(1), (long) cut.end);
                assertArrayEquals(Cases.ints(part.get(2)), cut.tokens);
            }
        }
    }

    @Test
    public void languagesAreThose() throws IOException {
        for (Map<?, ?> one : Cases.of(getClass(), "language")) {
            String[] known = ((List<?>) one.get("known")).toArray(new String[0]);
            assertEquals(one.get("found"), Languages.codeOf((String) one.get("asked"), Arrays.asList(known)));
        }
    }
}
