package satchel.decoder;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;
import static org.junit.Assert.fail;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.Arrays;
import java.util.Random;
import org.junit.After;
import org.junit.Test;
import satchel.Cancel;
import satchel.SampleAnswer;
import satchel.SatchelException;
import satchel.bundle.Bundle;
import satchel.generate.Logits;
import satchel.ort.Session;

/** Runs of the decoder-only bundles in satchel.bundles: ids in, logits out, whichever way they are read. */
public class DecoderRunTest {
    private static final int MOST_BYTES = 2000; // of Java heap, for a token

    private Session session;
    private DecoderSession decoder;
    private int[] ids;
    private double alike; // how far apart the same logits may be

    private void begin(Bundle bundle) {
        close();
        session = Bundles.open(bundle, "decoder");
        decoder = new DecoderSession(session, bundle.manifest);
        Random random = new Random(1);
        ids = new int[Math.min(200, decoder.context - 20)];
        for (int place = 0; place < ids.length; ++place) {
            ids[place] = random.nextInt(decoder.vocabSize);
        }
        alike = bundle.manifest.readsAheadExactly() ? 0 : 1e-3;
    }

    @After
    public void close() {
        if (session != null) {
            decoder.close();
            session.close();
        }
    }

    private DecoderRun start(int batch) {
        return decoder.start(batch, new Cancel());
    }

    @Test
    public void theProbeIsAnswered() {
        for (Bundle bundle : Bundles.of("decoder")) {
            begin(bundle);
            for (SampleAnswer answer : SampleAnswers.ofDecoder(decoder, Probe.of(bundle.manifest))) {
                assertTrue(answer.name + " " + answer.distance, answer.distance <= answer.limit);
            }
        }
    }

    @Test
    public void stepsAndPiecesAreWhatAPrefillIs() {
        for (Bundle bundle : Bundles.of("decoder")) {
            begin(bundle);
            float[][] all = decoder.logits(ids);
            DecoderRun run = start(1);
            same(all[9], run.append(Arrays.copyOf(ids, 10)), 0);
            for (int place = 10; place < 14; ++place) {
                same(all[place], run.step(new int[] {ids[place]}, null), 0);
            }
            Logits few = run.read(Arrays.copyOfRange(ids, 14, 20));
            assertEquals(6, few.rows);
            for (int row = 0; row < 6; ++row) {
                same(all[14 + row], few, row);
            }
            same(all[ids.length - 1], run.append(Arrays.copyOfRange(ids, 20, ids.length)), 0);
            assertEquals(ids.length, run.length(0));
            run.close();
        }
    }

    @Test
    public void aTextGoesBackToWhatItShares() {
        for (Bundle bundle : Bundles.of("decoder")) {
            begin(bundle);
            float[][] all = decoder.logits(ids);
            DecoderRun run = start(1);
            run.append(ids);
            int[] other = Arrays.copyOf(ids, 30);
            other[25] = (ids[25] + 1) % decoder.vocabSize;
            assertArrayEquals(Arrays.copyOfRange(other, 25, 30), run.reuse(other));
            assertEquals(25, run.length(0));
            same(all[29], run.append(Arrays.copyOfRange(ids, 25, 30)), 0);
            assertEquals("one is left to run", 1, run.reuse(Arrays.copyOf(ids, 30)).length);
            run.close();
        }
    }

    @Test
    public void aRowOfABatchIsWhatItIsAlone() {
        for (Bundle bundle : Bundles.of("decoder")) {
            begin(bundle);
            float[][] all = decoder.logits(ids);
            if (!bundle.manifest.cache.dtype.equals("int8")) {
                alike = 0.05; // a batch adds up in another order, and now and then int8 activations make more of it
            }
            for (int longest : new int[] {20, ids.length - 1}) { // together, and each by itself
                DecoderRun run = start(3);
                Logits logits = run.prefill(
                        new int[][] {Arrays.copyOf(ids, 5), Arrays.copyOf(ids, longest), Arrays.copyOf(ids, 9)});
                same(all[4], logits, 0);
                same(all[longest - 1], logits, 1);
                same(all[8], logits, 2);
                boolean[] active = {true, false, true};
                logits = run.step(new int[] {ids[5], 0, ids[9]}, active);
                same(all[5], logits, 0);
                same(all[9], logits, 2);
                assertEquals(longest, run.length(1));
                run.reorder(new int[] {2, 0}, null);
                logits = run.step(new int[] {ids[10], ids[6]}, null);
                same(all[10], logits, 0);
                same(all[6], logits, 1);
                run.reorder(new int[] {1, 1, 0, 1}, null);
                logits = run.step(new int[] {ids[7], ids[7], ids[11], ids[7]}, null);
                same(all[7], logits, 0);
                same(all[7], logits, 1);
                same(all[11], logits, 2);
                same(all[7], logits, 3);
                run.close();
            }
        }
    }

    @Test
    public void whatIsNoIdOrTooLong() {
        Bundle bundle = Bundles.of("decoder").get(0);
        begin(bundle);
        DecoderRun run = start(1);
        refused(run, new int[] {3, -1}, "TOKEN_ID", "id -1 at index 1 is outside 0.." + (decoder.vocabSize - 1));
        refused(run, new int[] {decoder.vocabSize}, "TOKEN_ID", "at index 0");
        refused(run, new int[0], "USAGE", "the prompt is empty");
        refused(run, new int[decoder.context + 1], "CONTEXT", "the bundle's context is " + decoder.context);
        run.close();
    }

    @Test
    public void aStepAllocatesNextToNothing() {
        ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
        long thread = Thread.currentThread().getId();
        for (Bundle bundle : Bundles.of("decoder")) {
            begin(bundle);
            DecoderRun run = start(1);
            run.append(Arrays.copyOf(ids, 10));
            int[] token = {ids[10]};
            long bytes = 0;
            for (int round = 0; round < 40; ++round) { // the first ones load classes
                if (round == 30) {
                    bytes = threads.getThreadAllocatedBytes(thread);
                }
                run.step(token, null);
            }
            bytes = (threads.getThreadAllocatedBytes(thread) - bytes) / 10;
            assertTrue(bytes + " bytes a token", bytes < MOST_BYTES);
            run.close();
        }
    }

    @Test
    public void anotherThreadStopsIt() throws InterruptedException {
        begin(Bundles.of("decoder").get(0));
        final Cancel cancel = new Cancel();
        DecoderRun run = decoder.start(1, cancel);
        run.append(Arrays.copyOf(ids, 10));
        Thread other = new Thread() {
            @Override
            public void run() {
                cancel.cancel();
            }
        };
        other.start();
        try {
            while (true) {
                run.rewind(10);
                run.step(new int[] {1}, null);
            }
        } catch (SatchelException error) {
            assertEquals("CANCELLED", error.code);
        }
        other.join();
        assertEquals(10, run.length(0));
        run.cancelBy(new Cancel());
        same(decoder.logits(Arrays.copyOf(ids, 11))[10], run.step(new int[] {ids[10]}, null), 0);
        run.close();
    }

    @Test
    public void closedSessionsRefuse() {
        begin(Bundles.of("decoder").get(0));
        DecoderRun run = start(1);
        run.append(Arrays.copyOf(ids, 10));
        session.close();
        session.close(); // as often as you like
        try {
            run.step(new int[] {1}, null);
            fail("not refused");
        } catch (SatchelException error) {
            assertEquals("CLOSED", error.code);
        }
        run.close();
        run.close();
    }

    private void same(float[] expected, Logits actual, int row) {
        assertEquals(expected.length, actual.size);
        float[] part = Arrays.copyOfRange(actual.values, row * actual.size, (row + 1) * actual.size);
        assertArrayEquals(expected, part, (float) (alike * Math.max(1, SampleAnswer.scale(expected))));
    }

    private static void refused(DecoderRun run, int[] ids, String code, String words) {
        try {
            run.append(ids);
        } catch (SatchelException error) {
            assertEquals(code, error.code);
            assertTrue(error.getMessage(), error.getMessage().contains(words));
            return;
        }
        fail("not refused");
    }
}
