package satchel.decoder;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import satchel.ort.Tensor;

/**
 * What a decoder knows of a batch of sources: tensors [sources, ...] by the names of its inputs, only read. Knows
 * no graph that made them. Whoever asked an encoder for them closes them when the texts are written.
 */
public final class Sources implements AutoCloseable {
    private final Map<String, Tensor> values;
    private final int[] lengths;
    private final Tensor lengthsTensor;

    Sources(Map<String, Tensor> values, int[] lengths) {
        this.values = values;
        this.lengths = lengths;
        lengthsTensor = Tensor.ints(lengths, lengths.length);
    }

    /** How many sources. */
    public int count() {
        return lengths.length;
    }

    /** Some of the sources, a copy. */
    Sources only(int[] places) {
        Map<String, Tensor> fewer = new LinkedHashMap<String, Tensor>();
        int[] theirs = new int[places.length];
        for (int i = 0; i < places.length; ++i) {
            theirs[i] = lengths[places[i]];
        }
        for (Map.Entry<String, Tensor> entry : values.entrySet()) {
            Tensor all = entry.getValue();
            long[] shape = all.shape();
            shape[0] = places.length;
            Tensor some = Tensor.zeros(all.dtype(), shape);
            ByteBuffer from = all.buffer().duplicate();
            ByteBuffer to = some.buffer().duplicate();
            int size = to.capacity() / places.length;
            for (int place : places) {
                from.limit((place + 1) * size);
                from.position(place * size);
                to.put(from);
            }
            fewer.put(entry.getKey(), some);
        }
        return new Sources(fewer, theirs);
    }

    /** Sources that were read one by one and have one length, as one batch; the parts are closed. */
    static Sources joined(List<Map<String, Tensor>> parts, int length) {
        int[] lengths = new int[parts.size()];
        Arrays.fill(lengths, length);
        if (parts.size() == 1) {
            return new Sources(parts.get(0), lengths);
        }
        Map<String, Tensor> all = new LinkedHashMap<String, Tensor>();
        for (String name : new ArrayList<String>(parts.get(0).keySet())) {
            long[] shape = parts.get(0).get(name).shape();
            shape[0] = parts.size();
            Tensor together = Tensor.zeros(parts.get(0).get(name).dtype(), shape);
            ByteBuffer to = together.buffer().duplicate();
            for (Map<String, Tensor> part : parts) {
                ByteBuffer from = part.get(name).buffer().duplicate();
                from.rewind();
                to.put(from);
                part.get(name).close();
            }
            all.put(name, together);
        }
        return new Sources(all, lengths);
    }

    /** Adds all of it to the inputs of a call. */
    void bind(Map<String, Tensor> inputs) {
        inputs.putAll(values);
        inputs.put("source_lengths", lengthsTensor);
    }

    @Override
    public void close() {
        for (Tensor value : values.values()) {
            value.close();
        }
        lengthsTensor.close();
    }
}
