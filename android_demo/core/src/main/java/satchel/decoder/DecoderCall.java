package satchel.decoder;

import java.nio.ByteBuffer;
import java.nio.FloatBuffer;
import java.nio.IntBuffer;
import java.nio.LongBuffer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import satchel.Cancel;
import satchel.ort.Call;
import satchel.ort.Tensor;

/** A call of a decoder's graph for ids of one shape: running it changes its tensors and allocates nothing. */
final class DecoderCall implements AutoCloseable {
    final int batch;
    final int width;
    final int rows;

    private final List<Tensor> owned = new ArrayList<Tensor>();
    private final LongBuffer ids;
    private final IntBuffer ends;
    private final IntBuffer total;
    private final LongBuffer places;
    private final FloatBuffer logits;
    private final Call call;

    /** For `batch` rows of `width` ids; `logits` [rows, vocab] is the caller's and outlives this. */
    DecoderCall(DecoderSession decoder, KeyValueCache cache, int batch, int width, int rows, Tensor logits) {
        this.batch = batch;
        this.width = width;
        this.rows = rows;
        Map<String, Tensor> inputs = new LinkedHashMap<String, Tensor>();
        Map<String, Tensor> outputs = new LinkedHashMap<String, Tensor>();
        ids = input(inputs, "input_ids", "int64", batch, width).asLongBuffer();
        ends = input(inputs, "seqlens_k", "int32", batch).asIntBuffer();
        total = input(inputs, "total_sequence_length", "int32", 1).asIntBuffer();
        places = input(inputs, "logit_rows", "int64", rows).asLongBuffer();
        for (int row = 0; row < rows; ++row) {
            places.put(row, row);
        }
        Tensor shaped = logits.view("float32", 0, rows, decoder.vocabSize);
        owned.add(shaped);
        outputs.put("logits", shaped);
        this.logits = shaped.buffer().asFloatBuffer();
        cache.bind(inputs, outputs);
        if (decoder.sources != null) {
            decoder.sources.bind(inputs);
        }
        call = decoder.session.bind(inputs, outputs);
    }

    /** The next run's id at a place of a row. */
    void id(int row, int place, int id) {
        ids.put(row * width + place, id);
    }

    /** How long a row's text is behind the next run. */
    void length(int row, int length) {
        ends.put(row, length - 1);
    }

    /** Where among all ids the logits of a row are wanted; unless told otherwise, behind each. */
    void place(int row, int place) {
        places.put(row, place);
    }

    /** Runs the graph for texts the longest of which has so many ids behind it. */
    void run(int longest, Cancel cancel) {
        total.put(0, longest);
        call.run(cancel);
    }

    /** Copies some rows of the logits to the beginning of an array. */
    void copy(int first, int count, float[] into) {
        int size = logits.capacity() / rows;
        logits.position(first * size);
        logits.get(into, 0, count * size);
    }

    @Override
    public void close() {
        call.close();
        for (Tensor tensor : owned) {
            tensor.close();
        }
    }

    private ByteBuffer input(Map<String, Tensor> inputs, String name, String dtype, long... shape) {
        Tensor tensor = Tensor.zeros(dtype, shape);
        owned.add(tensor);
        inputs.put(name, tensor);
        return tensor.buffer();
    }
}
