package satchel.encoder;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import satchel.Workload;
import satchel.bundle.Manifest;

/** What an encoder bundle is timed at: batches of some sizes for each of its graphs. */
public final class EncoderWorkloads {
    private static final int[][] BATCHES = {{1, 16}, {1, 128}, {8, 128}, {1, 512}}; // texts x tokens
    private static final int[] IMAGE_BATCHES = {1, 4};
    private static final int ROUNDS = 5;

    private EncoderWorkloads() {}

    public static List<Workload> of(Manifest manifest, Map<String, EncoderSession> graphs, ImageFormat images) {
        List<Workload> workloads = new ArrayList<Workload>();
        for (Map.Entry<String, EncoderSession> entry : graphs.entrySet()) {
            if (entry.getValue().readsPictures()) {
                for (int count : IMAGE_BATCHES) {
                    workloads.add(pictures(entry.getKey(), entry.getValue(), images, count));
                }
            } else {
                for (int[] size : sizes(manifest)) {
                    workloads.add(texts(entry.getKey(), entry.getValue(), size[0], size[1]));
                }
            }
        }
        return workloads;
    }

    /** Texts and tokens; where all texts are padded, of that length. */
    private static List<int[]> sizes(Manifest manifest) {
        boolean padded = manifest.text.padToContext != null;
        int[][] some = padded ? new int[][] {{1, manifest.context}, {8, manifest.context}} : BATCHES;
        List<int[]> sizes = new ArrayList<int[]>();
        for (int[] size : some) {
            if (size[1] <= manifest.context) {
                sizes.add(size);
            }
        }
        if (sizes.isEmpty()) {
            sizes.add(new int[] {1, manifest.context});
        }
        return sizes;
    }

    private static Workload texts(String role, final EncoderSession encoder, int count, final int length) {
        final int[] batch = new int[count];
        int[] ids = new SampleNumbers().below(encoder.vocabSize, count * length);
        final Map<String, long[]> inputs = new LinkedHashMap<String, long[]>();
        for (String name : encoder.inputs()) {
            long[] numbers = new long[ids.length];
            for (int i = 0; i < ids.length && name.equals("input_ids"); ++i) {
                numbers[i] = ids[i];
            }
            inputs.put(name, numbers);
        }
        String name = count + "x" + length;
        return new Batch(role, name, "texts", count) {
            @Override
            public void call() {
                encoder.run(inputs, batch, length, null, NOBODY);
            }
        };
    }

    private static Workload pictures(String role, final EncoderSession encoder, final ImageFormat images, int count) {
        final float[] pixels = new float[count * ImageFormat.CHANNELS * images.height * images.width];
        return new Batch(role, count + "_images", "images", count) {
            @Override
            public void call() {
                encoder.pictures(pixels, images.height, images.width, null, NOBODY);
            }
        };
    }

    private static final EncoderSession.Reader NOBODY = new EncoderSession.Reader() {
        @Override
        public void row(int index, EncoderSession.Result result) {
        }
    };

    private abstract static class Batch extends Workload {
        Batch(String role, String name, String kind, int count) {
            super("batch " + name, count, 1 + ROUNDS, role + "_" + name + "_seconds",
                    role + "_" + name + "_" + kind + "_per_second");
        }
    }
}
