package satchel.generate;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import org.junit.Test;
import satchel.SatchelException;

public final class BeamsTest {
    private static final int VOCAB = 5;
    private static final int[] NO_ENDS = {};
    private static final List<Processor> NONE = Collections.emptyList();

    private static Options options(Object... options) {
        return Options.from(OptionsTest.map(options), Collections.<String, Object>emptyMap());
    }

    private static FakeRun run(long seed, int rows) {
        return new FakeRun(rows, VOCAB, seed, 4, 0, 3, 0);
    }

    /** The sum of the log-probabilities of ids behind a prompt. */
    private static double score(long seed, int[] prompt, int[] ids) {
        FakeRun run = run(seed, 1);
        double sum = 0;
        Logits logits = run.append(prompt);
        for (int id : ids) {
            sum += Sampler.logProbability(logits.values, 0, VOCAB, id);
            logits = run.append(new int[] {id});
        }
        return sum;
    }

    @Test
    public void enoughBeamsFindTheBestText() {
        int length = 4;
        for (long seed = 0; seed < 20; ++seed) {
            int[] prompt = {1, 2};
            double best = Double.NEGATIVE_INFINITY;
            int[] bestIds = {};
            for (int number = 0; number < 625; ++number) {
                int[] ids = {number / 125, number / 25 % 5, number / 5 % 5, number % 5};
                double score = score(seed, prompt, ids);
                if (score > best) {
                    best = score;
                    bestIds = ids;
                }
            }
            Search search = new Search(prompt, NONE, length);
            Beams.search(run(seed, 1), Arrays.asList(search), options("num_beams", 125), NO_ENDS);
            assertArrayEquals(bestIds, search.found.get(0).tokens);
            assertEquals(best / length, search.found.get(0).score, 1e-6);
        }
    }

    @Test
    public void searchesOfABatchAreThoseAlone() {
        int[] ends = {4};
        Options options = options("num_beams", 3, "length_penalty", 0.5);
        for (long seed = 0; seed < 20; ++seed) {
            Search first = new Search(new int[] {1}, NONE, 6);
            Search second = new Search(new int[] {2, 3, 0}, NONE, 6);
            Beams.search(run(seed, 2), Arrays.asList(first, second), options, ends);
            Search alone = new Search(second.prompt, NONE, 6);
            Beams.search(run(seed, 1), Arrays.asList(alone), options, ends);
            assertEquals(3, second.found.size());
            for (int i = 0; i < 3; ++i) {
                assertArrayEquals(alone.found.get(i).tokens, second.found.get(i).tokens);
                assertEquals(alone.found.get(i).score, second.found.get(i).score, 0);
            }
        }
    }

    @Test
    public void noIdAtAllIsRefused() {
        Options options = options("num_beams", 2, "suppress_tokens", new int[] {0, 1, 2, 3, 4});
        List<Processor> processors = Processors.of(options, VOCAB, NO_ENDS, 1, 3, new int[] {1});
        Search search = new Search(new int[] {1}, processors, 3);
        try {
            Beams.search(run(1, 1), Arrays.asList(search), options, NO_ENDS);
        } catch (SatchelException error) {
            assertEquals("NUMERIC_ERROR", error.code);
            assertTrue(error.getMessage().endsWith("the options leave no id"));
            return;
        }
        fail("nothing was refused");
    }

    @Test
    public void noLengthIsNoText() {
        Search search = new Search(new int[] {1}, NONE, 0);
        Beams.search(run(1, 1), Arrays.asList(search), options("num_beams", 2), NO_ENDS);
        assertEquals(0, search.found.get(0).tokens.length);
        assertEquals("length", search.found.get(0).finishReason);
    }
}
