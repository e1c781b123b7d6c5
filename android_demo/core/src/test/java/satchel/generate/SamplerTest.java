package satchel.generate;

import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import java.util.Collections;
import java.util.List;
import org.junit.Test;
import satchel.SatchelException;

public final class SamplerTest {
    private static final float NOTHING = Float.NEGATIVE_INFINITY;

    private static Sampler sampler(Object... options) {
        List<Processor> none = Collections.emptyList();
        return new Sampler(Options.from(OptionsTest.map(options), Collections.<String, Object>emptyMap()), none);
    }

    private static int[] drawn(Sampler sampler, float... logits) {
        int[] counts = new int[logits.length];
        for (int i = 0; i < 4000; ++i) {
            ++counts[sampler.choose(logits, 0, logits.length, Sampler.highest(logits, 0, logits.length))];
        }
        return counts;
    }

    private static void assertNotFinite(String message, float... logits) {
        try {
            Sampler.highest(logits, 0, logits.length);
        } catch (SatchelException error) {
            assertEquals("NUMERIC_ERROR", error.code);
            assertEquals(message, error.getMessage());
            return;
        }
        fail("taken");
    }

    @Test
    public void idsComeAsOftenAsTheyAreLikely() {
        float[] logits = {(float) Math.log(0.5), (float) Math.log(0.3), (float) Math.log(0.2), NOTHING};
        int[] counts = drawn(sampler("temperature", 1, "seed", 1), logits);
        assertEquals(2000, counts[0], 100);
        assertEquals(1200, counts[1], 100);
        assertEquals(0, counts[3]);
    }

    @Test
    public void whatIsLeftOutIsNeverDrawn() {
        float[] logits = {0, 3, 2, 1, NOTHING};
        assertEquals(4000, drawn(sampler("top_k", 1), logits)[1]);
        assertEquals(4000, drawn(sampler("top_p", 1e-9), logits)[1]);
        int[] counts = drawn(sampler("min_p", 0.3, "temperature", 1), logits);
        assertEquals(4000, counts[1] + counts[2]);
        assertTrue(counts[2] > 800);
    }

    @Test
    public void ofEqualLogitsTheFirstCounts() {
        float[] logits = {1, 5, -0f, 5, 0};
        assertEquals(1, Sampler.highest(logits, 0, logits.length));
        int[] counts = drawn(sampler("top_k", 3, "seed", 2), 7, 0f, 6, -0f, 6, 6);
        assertEquals(0, counts[1] + counts[3] + counts[5]);
    }

    @Test
    public void tinyTemperaturesAreGreedy() {
        for (double temperature : new double[] {1e-3, 1e-30, 1e-45, 5e-324}) {
            assertEquals(4000, drawn(sampler("temperature", temperature), -3e38f, 3e38f, 1e38f)[1]);
        }
    }

    @Test
    public void whatIsNotFiniteIsRefused() {
        assertNotFinite("the model's logits are not finite", 1, Float.NaN, 2);
        assertNotFinite("the model's logits are not finite", Float.NaN);
        assertNotFinite("the model's logits are not finite", 1, Float.POSITIVE_INFINITY);
        assertNotFinite("the model's logits are not finite: the options leave no id", NOTHING, NOTHING);
    }

    @Test
    public void logProbabilitiesAddUpToOne() {
        float[] logits = {9, 0, 3, 2, 1, NOTHING};
        double sum = 0;
        for (int id = 0; id < 5; ++id) {
            sum += Math.exp(Sampler.logProbability(logits, 1, 5, id));
        }
        assertEquals(1, sum, 1e-6);
    }
}
