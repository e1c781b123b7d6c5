package satchel.decoder;

import satchel.ort.Tensor;

/** The calls of a run by the shape of their ids, which are kept, and the memory that they write their logits to. */
final class Calls implements AutoCloseable {
    private static final int FEW = DecoderSession.FEW;

    private final KeyValueCache cache;
    private final DecoderCall[] steps = new DecoderCall[FEW + 1]; // by ids per row
    private DecoderCall reading; // the last one of another shape
    private Tensor memory; // for the logits of whichever call was last
    private int room; // rows that it has

    Calls(KeyValueCache cache) {
        this.cache = cache;
    }

    /** The call for `width` ids per row and the logits behind each. */
    DecoderCall step(DecoderSession decoder, int batch, int width) {
        if (steps[width] == null) {
            int rows = batch * width;
            makeRoom(decoder, width == 1 ? rows : Math.max(rows, FEW));
            steps[width] = new DecoderCall(decoder, cache, batch, width, rows, memory);
        }
        return steps[width];
    }

    /** The call for `width` ids per row and the logits of so many rows, whose places are to be told. */
    DecoderCall reading(DecoderSession decoder, int batch, int width, int rows) {
        if (reading == null || reading.width != width || reading.rows != rows) {
            makeRoom(decoder, rows);
            closeReading();
            reading = new DecoderCall(decoder, cache, batch, width, rows, memory);
        }
        return reading;
    }

    /** Forgets all calls: the tensors that they are bound to are no longer those of the run. */
    void forget() {
        for (int width = 0; width <= FEW; ++width) {
            if (steps[width] != null) {
                steps[width].close();
                steps[width] = null;
            }
        }
        closeReading();
    }

    @Override
    public void close() {
        forget();
        if (memory != null) {
            memory.close();
            memory = null;
            room = 0;
        }
    }

    private void makeRoom(DecoderSession decoder, int rows) {
        if (rows > room) {
            close(); // calls are bound to the memory before
            memory = Tensor.zeros("float32", rows, decoder.vocabSize);
            room = rows;
        }
    }

    private void closeReading() {
        if (reading != null) {
            reading.close();
            reading = null;
        }
    }
}
