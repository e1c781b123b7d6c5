package satchel.decoder;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import satchel.Cancel;
import satchel.SampleAnswer;

/**
 * A decoder's answers to its probe beside those it gave when it was made, or gives another way. A probe holds an
 * input and the reference model's answer, to which every machine must come as near as the export did.
 */
public final class SampleAnswers {
    private static final double ALIKE = 1e-4; // of the largest logit

    private SampleAnswers() {}

    /** Reads some of two sources, which are numbered from 0. */
    public interface Reader {
        Sources read(int... which);
    }

    /** Logits after the probe's prompt, the same in one piece, in two, and in a batch. */
    public static List<SampleAnswer> ofDecoder(DecoderSession decoder, Probe probe) {
        int[] ids = probe.ids;
        float[][] all = decoder.logits(ids);
        float[] whole = all[ids.length - 1];
        double scale = SampleAnswer.scale(probe.reference);
        double limit = 1.5 * probe.difference + SampleAnswer.SLACK * scale;
        float[] chosen = new float[probe.top.length];
        for (int i = 0; i < chosen.length; ++i) {
            chosen[i] = whole[probe.top[i]];
        }
        List<SampleAnswer> answers = new ArrayList<SampleAnswer>();
        answers.add(new SampleAnswer("logits against the reference model", chosen, probe.reference, limit));
        double alike = ALIKE * Math.max(1.0, scale);
        int[] first = Arrays.copyOf(ids, ids.length / 2);
        DecoderRun pieces = decoder.start(1, new Cancel());
        try {
            pieces.append(first);
            float[] behind = row(pieces.append(Arrays.copyOfRange(ids, first.length, ids.length)).values, 0, whole);
            answers.add(new SampleAnswer("in pieces against one prefill", behind, whole, alike));
        } finally {
            pieces.close();
        }
        DecoderRun batch = decoder.start(2, new Cancel());
        try {
            float[] together = row(batch.prefill(new int[][] {ids, first}).values, 0, whole);
            answers.add(new SampleAnswer("in a batch against alone", together, whole, alike));
        } finally {
            batch.close();
        }
        return answers;
    }

    /** The same of a target of the first of two sources, and of that among others. */
    public static List<SampleAnswer> ofTarget(DecoderSession decoder, Reader reader, Probe probe) {
        List<SampleAnswer> answers = new ArrayList<SampleAnswer>();
        float[] whole;
        Sources alone = reader.read(0);
        try {
            DecoderSession reading = decoder.reading(alone);
            answers.addAll(ofDecoder(reading, probe));
            whole = reading.logits(probe.ids)[probe.ids.length - 1];
        } finally {
            alone.close();
        }
        Sources both = reader.read(1, 0);
        try {
            DecoderRun run = decoder.reading(both).start(2, new Cancel());
            try {
                float[] among = row(run.prefill(new int[][] {probe.ids, probe.ids}).values, 1, whole);
                double limit = ALIKE * Math.max(1.0, SampleAnswer.scale(whole));
                answers.add(new SampleAnswer("a source among others against alone", among, whole, limit));
            } finally {
                run.close();
            }
        } finally {
            both.close();
        }
        return answers;
    }

    private static float[] row(float[] values, int row, float[] like) {
        return Arrays.copyOfRange(values, row * like.length, (row + 1) * like.length);
    }
}
