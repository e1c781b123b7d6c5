package satchel.encoder;

import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.FloatBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import satchel.SatchelException;
import satchel.bundle.Manifest;
import satchel.ort.Session;
import satchel.ort.Tensor;

/** Runs an encoder graph over many inputs: ids in, numbers out with the caller's index. Knows no text. */
public final class EncoderSession implements AutoCloseable {
    /** Input of a text encoder: 1 for tokens of a prompt that its vector leaves out. */
    public static final String PROMPT_MASK = "prompt_mask";
    private static final String IDS = "input_ids";
    private static final String TYPES = "token_type_ids";
    private static final String PIXELS = "pixel_values";

    public final int vocabSize;
    /** Numbers of an answer side by side. */
    public final int answerSize;
    /** The name of the last output, which is the answer. */
    public final String answer;
    public final Session session;
    private final Manifest.Graph graph;

    public EncoderSession(Session session, Manifest.Graph graph, int vocabSize) {
        this.session = session;
        this.graph = graph;
        this.vocabSize = vocabSize;
        Manifest.Port last = graph.outputs.get(graph.outputs.size() - 1);
        this.answer = last.name;
        this.answerSize = (Integer) last.axes[last.axes.length - 1];
    }

    /** Whether the graph has that input. */
    public boolean reads(String input) {
        for (Manifest.Port port : graph.inputs) {
            if (port.name.equals(input)) {
                return true;
            }
        }
        return false;
    }

    /** The names of what the graph reads, in their order. */
    List<String> inputs() {
        List<String> names = new ArrayList<String>();
        for (Manifest.Port port : graph.inputs) {
            names.add(port.name);
        }
        return names;
    }

    /** Numbers side by side of an output. */
    public int width(String output) {
        for (Manifest.Port port : graph.outputs) {
            if (port.name.equals(output)) {
                return (Integer) port.axes[port.axes.length - 1];
            }
        }
        throw SatchelException.bundle("the graph has no output " + SatchelException.shown(output), "BUNDLE_IO");
    }

    /** Whether it reads pictures. */
    public boolean readsPictures() {
        return reads(PIXELS);
    }

    /** Hears the result of each row, which is good for as long as it is called. */
    public interface Reader {
        void row(int index, Result result);
    }

    /** What a graph gave for one row of a batch. */
    public static final class Result {
        private final Tensor tensor;
        private final int size;
        private int row;

        private Result(Tensor tensor) {
            this.tensor = tensor;
            long[] shape = tensor.shape();
            long count = 1;
            for (int axis = 1; axis < shape.length; ++axis) {
                count *= shape[axis];
            }
            size = (int) count;
        }

        /** All of it; of a matrix row by row. */
        public float[] all() {
            return part(0, size);
        }

        /** {@code count} numbers from the {@code from}th on. */
        public float[] part(int from, int count) {
            float[] numbers = new float[count];
            ByteBuffer bytes = tensor.buffer().duplicate().order(ByteOrder.nativeOrder());
            bytes.clear();
            FloatBuffer floats = bytes.asFloatBuffer();
            floats.position(row * size + from);
            floats.get(numbers);
            return numbers;
        }
    }

    /**
     * The result of every row of ids, shortest first. Throws EMPTY_PROMPT for a row without ids, and TOKEN_ID for an
     * id that the model does not have.
     *
     * @param types token types for pairs, or null
     * @param output the name of an output; null for the answer
     * @param prompts how many of a row's first tokens a vector leaves out, or null
     */
    public void texts(int[][] rows, int[][] types, String output, int[] prompts, Reader reader) {
        int[] lengths = new int[rows.length];
        for (int i = 0; i < rows.length; ++i) {
            lengths[i] = rows[i].length;
            if (lengths[i] == 0) {
                throw SatchelException.usage("a text gives no tokens: it is empty", "EMPTY_PROMPT");
            }
        }
        for (int[] batch : Batches.of(lengths)) {
            int length = lengths[batch[0]];
            Map<String, long[]> inputs = new LinkedHashMap<String, long[]>();
            inputs.put(IDS, flat(rows, batch, length));
            checkIds(inputs.get(IDS));
            if (reads(TYPES)) {
                inputs.put(TYPES, types == null ? new long[batch.length * length] : flat(types, batch, length));
            }
            if (reads(PROMPT_MASK)) {
                inputs.put(PROMPT_MASK, masked(prompts, batch, length));
            }
            run(inputs, batch, length, output, reader);
        }
    }

    private static long[] flat(int[][] rows, int[] batch, int length) {
        long[] numbers = new long[batch.length * length];
        for (int i = 0; i < batch.length; ++i) {
            for (int place = 0; place < length; ++place) {
                numbers[i * length + place] = rows[batch[i]][place];
            }
        }
        return numbers;
    }

    private static long[] masked(int[] prompts, int[] batch, int length) {
        long[] mask = new long[batch.length * length];
        for (int i = 0; prompts != null && i < batch.length; ++i) {
            for (int place = 0; place < Math.min(prompts[batch[i]], length); ++place) {
                mask[i * length + place] = 1;
            }
        }
        return mask;
    }

    /** ONNX Runtime would wrap negative ids and read zeros beyond the last. */
    private void checkIds(long[] ids) {
        for (long id : ids) {
            if (id < 0 || id >= vocabSize) {
                throw SatchelException.usage("an id is outside 0.." + (vocabSize - 1), "TOKEN_ID");
            }
        }
    }

    /** One run over integers [batch, length], by the names of the graph's inputs. */
    void run(Map<String, long[]> inputs, int[] batch, int length, String output, Reader reader) {
        Map<String, Tensor> tensors = new LinkedHashMap<String, Tensor>();
        try {
            for (Map.Entry<String, long[]> entry : inputs.entrySet()) {
                tensors.put(entry.getKey(), Tensor.longs(entry.getValue(), batch.length, length));
            }
            run(tensors, batch, output, reader);
        } finally {
            close(tensors);
        }
    }

    /** One run over pictures float32 [count, 3, height, width]; all are heard, from 0 on. */
    public void pictures(float[] pixels, int height, int width, String output, Reader reader) {
        int size = ImageFormat.CHANNELS * height * width;
        int[] batch = new int[pixels.length / size];
        for (int i = 0; i < batch.length; ++i) {
            batch[i] = i;
        }
        Map<String, Tensor> tensors = new LinkedHashMap<String, Tensor>();
        try {
            tensors.put(PIXELS, Tensor.floats(pixels, batch.length, ImageFormat.CHANNELS, height, width));
            run(tensors, batch, output, reader);
        } finally {
            close(tensors);
        }
    }

    private void run(Map<String, Tensor> inputs, int[] batch, String output, Reader reader) {
        String name = output == null ? answer : output;
        Map<String, Tensor> given = session.run(inputs, Collections.singleton(name), null, null);
        try {
            Result result = new Result(given.get(name));
            for (int row = 0; row < batch.length; ++row) {
                result.row = row;
                reader.row(batch[row], result);
            }
        } finally {
            close(given);
        }
    }

    private static void close(Map<String, Tensor> tensors) {
        for (Tensor tensor : tensors.values()) {
            tensor.close();
        }
    }

    /** Keeps all of every row; an element is null until it was heard. */
    public static final class Kept implements Reader {
        public final float[][] rows;

        public Kept(int count) {
            rows = new float[count][];
        }

        @Override
        public void row(int index, Result result) {
            rows[index] = result.all();
        }

        /** A row as a matrix of so many rows itself. */
        public float[][] matrix(int index, int count) {
            float[][] matrix = new float[count][];
            int size = rows[index].length / count;
            for (int place = 0; place < count; ++place) {
                matrix[place] = Arrays.copyOfRange(rows[index], place * size, (place + 1) * size);
            }
            return matrix;
        }
    }

    @Override
    public void close() {
        session.close();
    }
}
