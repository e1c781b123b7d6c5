package satchel.encoder;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import satchel.Picture;
import satchel.SampleAnswer;
import satchel.SatchelException;
import satchel.bundle.Manifest;

/** An encoder's answers to the probes of its manifest beside those of the reference model, and among others. */
public final class EncoderSamples {
    private static final double ALIKE = 1e-5; // of the largest number

    private EncoderSamples() {}

    /** Of each graph the start of its answer to a sample, and all of it among others as alone. */
    public static List<SampleAnswer> answers(
            Manifest manifest, Map<String, EncoderSession> graphs, ImageFormat images) {
        List<SampleAnswer> answers = new ArrayList<SampleAnswer>();
        for (Map.Entry<String, Object> entry : manifest.probe.entrySet()) {
            String role = entry.getKey();
            EncoderSession encoder = graphs.get(role);
            if (encoder == null || !(entry.getValue() instanceof Map)) {
                throw lacking();
            }
            Map<?, ?> probe = (Map<?, ?>) entry.getValue();
            if (!(probe.get("difference") instanceof Number)) {
                throw lacking();
            }
            float[] reference = numbers(probe.get("reference"));
            float[] alone;
            float[] together;
            if (probe.get("ids") != null) {
                float[] ids = numbers(probe.get("ids"));
                alone = texts(encoder, ids, false)[0];
                together = texts(encoder, ids, true)[1];
            } else if (images != null) {
                Picture[] pictures = SamplePictures.of(images.height, images.width, 2);
                float[] sample = images.pixels(pictures[0]);
                alone = pictures(encoder, images, sample)[0];
                together = pictures(encoder, images, joined(images.pixels(pictures[1]), sample))[1];
            } else {
                throw lacking();
            }
            if (reference.length > alone.length) {
                throw lacking();
            }
            double scale = SampleAnswer.scale(alone);
            double limit = 1.5 * ((Number) probe.get("difference")).doubleValue() + SampleAnswer.SLACK * scale;
            float[] start = Arrays.copyOf(alone, reference.length);
            answers.add(new SampleAnswer(role + " against the reference model", start, reference, limit));
            limit = ALIKE * Math.max(1.0, scale);
            answers.add(new SampleAnswer(role + " among others against alone", together, alone, limit));
        }
        return answers;
    }

    private static SatchelException lacking() {
        return SatchelException.bundle("manifest.json has no probe to check against; export the bundle again");
    }

    private static float[] numbers(Object value) {
        if (!(value instanceof List) || ((List<?>) value).isEmpty()) {
            throw lacking();
        }
        float[] numbers = new float[((List<?>) value).size()];
        for (int i = 0; i < numbers.length; ++i) {
            Object number = ((List<?>) value).get(i);
            if (!(number instanceof Number)) {
                throw lacking();
            }
            numbers[i] = ((Number) number).floatValue();
        }
        return numbers;
    }

    /** The answers to the ids alone, or behind themselves the other way round. */
    private static float[][] texts(EncoderSession encoder, float[] ids, boolean among) {
        int rows = among ? 2 : 1;
        long[] row = new long[rows * ids.length];
        for (int i = 0; i < ids.length; ++i) {
            row[row.length - ids.length + i] = (long) ids[i]; // exact: vocabularies are smaller than 2 to the 24
            if (among) {
                row[ids.length - 1 - i] = (long) ids[i];
            }
        }
        Map<String, long[]> inputs = new LinkedHashMap<String, long[]>();
        for (String name : encoder.inputs()) {
            inputs.put(name, name.equals("input_ids") ? row : new long[row.length]);
        }
        EncoderSession.Kept kept = new EncoderSession.Kept(rows);
        encoder.run(inputs, among ? new int[] {0, 1} : new int[] {0}, ids.length, null, kept);
        return kept.rows;
    }

    private static float[][] pictures(EncoderSession encoder, ImageFormat images, float[] pixels) {
        int size = ImageFormat.CHANNELS * images.height * images.width;
        EncoderSession.Kept kept = new EncoderSession.Kept(pixels.length / size);
        encoder.pictures(pixels, images.height, images.width, null, kept);
        return kept.rows;
    }

    private static float[] joined(float[] first, float[] second) {
        float[] both = Arrays.copyOf(first, first.length + second.length);
        System.arraycopy(second, 0, both, first.length, second.length);
        return both;
    }
}
