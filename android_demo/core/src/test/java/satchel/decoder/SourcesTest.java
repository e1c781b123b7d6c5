package satchel.decoder;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.fail;

import java.util.Arrays;
import org.junit.Test;
import satchel.Cancel;
import satchel.SatchelException;
import satchel.bundle.Bundle;
import satchel.generate.Logits;
import satchel.ort.Session;

/** The encoder-decoder bundles in satchel.bundles: a source's target is the same alone and among others. */
public class SourcesTest {
    @Test
    public void aSourceIsReadAloneAndAmongOthersAlike() {
        for (Bundle bundle : Bundles.of("encoder-decoder")) {
            Session reading = Bundles.open(bundle, "encoder");
            Session writing = Bundles.open(bundle, "decoder");
            SourceEncoder encoder = new SourceEncoder(reading, bundle.manifest);
            DecoderSession decoder = new DecoderSession(writing, bundle.manifest);
            int start = bundle.manifest.seq2seq.start;
            int[][] rows = new int[3][];
            float[][] alone = new float[3][];
            for (int row = 0; row < 3; ++row) {
                rows[row] = Workloads.someIds(encoder.vocabSize, 4 + 5 * row);
                Sources one = encoder.read(new int[][] {rows[row]}, null);
                alone[row] = decoder.reading(one).logits(new int[] {start, 3})[1];
                one.close();
            }
            Sources all = encoder.read(rows, null);
            assertEquals(3, all.count());
            DecoderRun run = decoder.reading(all).start(3, new Cancel());
            run.prefill(new int[][] {{start}, {start}, {start}});
            run.reorder(new int[] {0, 0, 2, 2}, null); // the second source is let go
            Logits logits = run.step(new int[] {3, 3, 3, 3}, null);
            for (int row = 0; row < 4; ++row) {
                float[] got = Arrays.copyOfRange(logits.values, row * logits.size, (row + 1) * logits.size);
                assertArrayEquals(alone[row < 2 ? 0 : 2], got, 1e-4f);
            }
            run.reorder(new int[] {2, 3, 3, 3}, null); // as many rows, of one source
            logits = run.step(new int[] {5, 5, 5, 5}, null);
            float[] first = Arrays.copyOfRange(logits.values, 0, logits.size);
            float[] last = Arrays.copyOfRange(logits.values, 3 * logits.size, 4 * logits.size);
            assertArrayEquals(first, last, 0);
            Sources one = encoder.read(new int[][] {rows[2]}, null);
            assertArrayEquals(decoder.reading(one).logits(new int[] {start, 3, 5})[2], first, 1e-4f);
            one.close();
            run.close();
            all.close();
            decoder.close();
            reading.close();
            writing.close();
        }
    }

    @Test
    public void whatIsNoSource() {
        Bundle bundle = Bundles.of("encoder-decoder").get(0);
        Session reading = Bundles.open(bundle, "encoder");
        SourceEncoder encoder = new SourceEncoder(reading, bundle.manifest);
        refused(encoder, new int[encoder.context + 1], "PROMPT_TOO_LONG");
        refused(encoder, new int[] {encoder.vocabSize}, "TOKEN_ID");
        refused(encoder, new int[0], "USAGE");
        Cancel cancel = new Cancel();
        cancel.cancel();
        try {
            encoder.read(new int[][] {{1}}, cancel);
            fail("not cancelled");
        } catch (SatchelException error) {
            assertEquals("CANCELLED", error.code);
        }
        reading.close();
    }

    private static void refused(SourceEncoder encoder, int[] source, String code) {
        try {
            encoder.read(new int[][] {source}, null);
        } catch (SatchelException error) {
            assertEquals(code, error.code);
            return;
        }
        fail("not refused");
    }
}
