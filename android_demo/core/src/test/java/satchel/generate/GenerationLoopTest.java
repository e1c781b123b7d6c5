package satchel.generate;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import java.lang.management.ManagementFactory;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import org.junit.Assume;
import org.junit.Test;
import satchel.SatchelException;

public final class GenerationLoopTest {
    private static final int VOCAB = 50;
    private static final int[] PROMPT = {1, 2, 3, 4, 1, 2, 3, 4};
    private static final int MOST_BYTES = 2048; // of new memory for an id

    private static FakeRun run(int rows, int order) {
        return new FakeRun(rows, VOCAB, 7, 10, 0, order, 0);
    }

    private static Row row(int limit, Object... options) {
        Options chosen = Options.from(OptionsTest.map(options), Collections.<String, Object>emptyMap());
        int[] noEnds = {};
        List<Processor> processors = Processors.of(chosen, VOCAB, noEnds, PROMPT.length, limit, PROMPT);
        return new Row(PROMPT, new Sampler(chosen, processors), limit, PROMPT.length, false);
    }

    private static Row generated(FakeRun run, int limit, boolean lookup, Object... options) {
        Row row = row(limit, options);
        row.lookup = lookup ? new Lookup(PROMPT) : null;
        GenerationLoop.run(run, new Row[] {row}, new int[0], null);
        return row;
    }

    @Test
    public void readingAheadChangesNoText() {
        for (int order = 1; order < 4; ++order) {
            for (int seed = 0; seed < 5; ++seed) {
                Object[] options = {"temperature", 0.5, "seed", seed};
                Row expected = generated(run(1, order), 60, false, options);
                Row found = generated(run(1, order), 60, true, options);
                assertArrayEquals(expected.tokens(), found.tokens());
                assertEquals("length", found.finishReason);
            }
        }
        assertTrue(generated(run(1, 1), 60, true).lookedUp > 20);
    }

    @Test
    public void textsOfABatchAreThoseOfTextsAlone() {
        Row[] rows = {row(3), row(20, "repetition_penalty", 1.5), row(30, "temperature", 1, "seed", 5), row(0)};
        GenerationLoop.run(run(4, 2), rows, new int[] {9}, null);
        for (int i = 0; i < rows.length; ++i) {
            Object[][] options = {{}, {"repetition_penalty", 1.5}, {"temperature", 1, "seed", 5}, {}};
            Row alone = row(rows[i].limit, options[i]);
            GenerationLoop.run(run(1, 2), new Row[] {alone}, new int[] {9}, null);
            assertArrayEquals(alone.tokens(), rows[i].tokens());
            assertEquals(alone.finishReason, rows[i].finishReason);
        }
    }

    @Test
    public void whoeverListensCanEndIt() {
        final Row[] rows = {row(50)};
        final List<Integer> heard = new ArrayList<Integer>();
        GenerationLoop.run(
                run(1, 1),
                rows,
                new int[0],
                new GenerationLoop.Listener() {
                    @Override
                    public void chosen(int row, int id) {
                        heard.add(id);
                        rows[row].finishReason = heard.size() == 5 ? "stop" : null;
                    }
                });
        assertEquals(5, heard.size());
        assertEquals(5, rows[0].count());
        assertEquals("stop", rows[0].finishReason);
    }

    @Test
    public void whatIsThrownEndsTheTexts() {
        Row[] rows = {row(50), row(50)};
        try {
            GenerationLoop.run(
                    run(2, 1),
                    rows,
                    new int[0],
                    new GenerationLoop.Listener() {
                        @Override
                        public void chosen(int row, int id) {
                            throw new IllegalStateException("enough");
                        }
                    });
        } catch (IllegalStateException error) {
            assertEquals("cancelled", rows[0].finishReason);
            assertEquals("cancelled", rows[1].finishReason);
            return;
        }
        fail("nothing was thrown");
    }

    @Test
    public void optionsThatLeaveNoIdAreRefused() {
        int[] all = new int[VOCAB];
        for (int i = 0; i < VOCAB; ++i) {
            all[i] = i;
        }
        try {
            generated(run(1, 1), 5, false, "suppress_tokens", all);
        } catch (SatchelException error) {
            assertEquals("NUMERIC_ERROR", error.code);
            return;
        }
        fail("nothing was refused");
    }

    @Test
    public void aStepTakesNoNewMemory() {
        java.lang.management.ThreadMXBean threads = ManagementFactory.getThreadMXBean();
        Assume.assumeTrue(threads instanceof com.sun.management.ThreadMXBean);
        com.sun.management.ThreadMXBean counting = (com.sun.management.ThreadMXBean) threads;
        long thread = Thread.currentThread().getId();
        for (int i = 0; i < 2; ++i) {
            FakeRun run = run(1, 1);
            run.logging = false;
            Row row = row(2000, "repetition_penalty", 1.1, "no_repeat_ngram_size", 3);
            long before = counting.getThreadAllocatedBytes(thread);
            GenerationLoop.run(run, new Row[] {row}, new int[] {VOCAB}, null);
            long bytes = (counting.getThreadAllocatedBytes(thread) - before) / row.count();
            assertTrue(bytes + " bytes an id", bytes < MOST_BYTES / 10);
        }
    }
}
