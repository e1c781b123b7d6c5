package satchel.decoder;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import satchel.SatchelException;
import satchel.bundle.Manifest;
import satchel.ort.Tensor;

/**
 * The keys and values of a batch of texts, in tensors [batch, heads, capacity, head size] that the graph writes in
 * place. Past and present of a layer are one memory. Rolling back only changes a length, which the caller keeps.
 */
final class KeyValueCache {
    private static final int FIRST_CAPACITY = 128;
    private static final long LARGEST_BLOCK = 1L << 30; // bytes; more of them where a cache is larger
    private static final String[] PARTS = {"key", "value"};

    private final int layers;
    private final int heads;
    private final int headDim;
    private final String dtype;
    private final long width; // bytes of a position of a head
    private final int spare; // positions behind the longest text that a run may write to
    private final int context;
    private final Memory memory;
    private int batch;
    private int capacity;
    private Store store = new Store();

    /** Tensors by layer and part, and the blocks that they are views of. */
    private static final class Store {
        final List<Tensor> blocks = new ArrayList<Tensor>(); // none: another cache's
        final List<Tensor> tensors = new ArrayList<Tensor>();

        void forget() {
            for (Tensor tensor : tensors) {
                tensor.close();
            }
            tensors.clear();
        }
    }

    KeyValueCache(Manifest.CacheGeometry form, int batch, int context, Memory memory) {
        this(form.layers, form.kvHeads, form.headDim, form.dtype, form.spare, batch, context, memory);
    }

    KeyValueCache(
            int layers, int heads, int headDim, String dtype, int spare, int batch, int context, Memory memory) {
        this.layers = layers;
        this.heads = heads;
        this.dtype = dtype;
        this.headDim = headDim;
        this.spare = spare;
        this.batch = batch;
        this.context = context;
        this.memory = memory;
        width = (long) headDim * Tensor.width(dtype);
    }

    /** Makes room for so many positions per row, keeping what is there; true if tensors moved. */
    boolean reserve(int positions) {
        int needed = positions + spare;
        if (needed <= capacity) {
            return false;
        }
        long wanted = Math.max(FIRST_CAPACITY, capacity);
        while (wanted < needed) {
            wanted *= 2;
        }
        int larger = (int) Math.min(wanted, (long) context + spare);
        Store grown = allocated(batch, larger);
        for (int place = 0; place < store.tensors.size(); ++place) {
            ByteBuffer from = store.tensors.get(place).buffer().duplicate();
            ByteBuffer to = grown.tensors.get(place).buffer().duplicate();
            for (int head = 0; head < batch * heads; ++head) {
                copy(from, head * bytes(capacity), to, head * bytes(larger), bytes(capacity));
            }
        }
        capacity = larger;
        move(grown);
        return true;
    }

    /**
     * Makes row i what row rows[i] is, for as many rows as there are; true if tensors moved. Copies the positions
     * below lengths[rows[i]] and beyond the first shared[i], which row i is known to hold already.
     */
    boolean reorder(int[] rows, int[] shared, int[] lengths) {
        int count = rows.length;
        boolean more = count > batch;
        Store target = more || overwrites(rows) ? allocated(Math.max(count, batch), capacity) : store;
        boolean anew = target != store;
        for (int place = 0; place < store.tensors.size(); ++place) {
            ByteBuffer from = store.tensors.get(place).buffer().duplicate();
            ByteBuffer to = target.tensors.get(place).buffer().duplicate();
            for (int row = 0; row < count; ++row) {
                if (anew || rows[row] != row) {
                    int begin = anew ? 0 : shared[row];
                    copyRow(from, rows[row], to, row, begin, lengths[rows[row]]);
                }
            }
        }
        if (!anew && count == batch) {
            return false;
        }
        if (count < batch) {
            Store fewer = part(target, 0, count);
            if (anew) {
                target.forget();
            }
            target = fewer;
        }
        batch = count;
        move(target);
        return true;
    }

    /** A cache of that row alone, in the same memory, for as long as that stays where it is. */
    KeyValueCache row(int row) {
        KeyValueCache alone = new KeyValueCache(layers, heads, headDim, dtype, spare, 1, context, memory);
        alone.capacity = capacity;
        alone.store = part(store, row, 1);
        alone.store.blocks.clear(); // they stay this one's
        return alone;
    }

    /** Adds every layer's past to the inputs of a call and its present to the outputs. */
    void bind(Map<String, Tensor> inputs, Map<String, Tensor> outputs) {
        for (int place = 0; place < store.tensors.size(); ++place) {
            String name = place / PARTS.length + "." + PARTS[place % PARTS.length];
            inputs.put("past_key_values." + name, store.tensors.get(place));
            outputs.put("present." + name, store.tensors.get(place));
        }
    }

    /** Gives the memory to the caches to come. Nothing may read or write it by this one again. */
    void release() {
        capacity = 0;
        move(new Store());
    }

    /** Gives the memory back to the system: it may hold what is no number. */
    void close() {
        capacity = 0;
        store.forget();
        for (Tensor block : store.blocks) {
            block.close();
        }
        store = new Store();
    }

    private long bytes(int positions) {
        return positions * width;
    }

    private Store allocated(int rows, int positions) {
        long size = rows * heads * bytes(positions);
        int places = layers * PARTS.length;
        int together = (int) Math.max(1, Math.min(places, LARGEST_BLOCK / size));
        Store made = new Store();
        try {
            for (int place = 0; place < places; ++place) {
                if (place % together == 0) {
                    made.blocks.add(memory.take(size * Math.min(together, places - place)));
                }
                Tensor block = made.blocks.get(made.blocks.size() - 1);
                made.tensors.add(block.view(dtype, place % together * size, shape(rows, positions)));
            }
            return made;
        } catch (SatchelException error) { // the tensors in use are untouched
            giveBack(made);
            if (!error.code.equals("OUT_OF_MEMORY")) {
                throw error;
            }
            throw SatchelException.limit(
                    "no memory for a cache of " + positions + " positions (" + (size * places >> 20) + " MB)",
                    "OUT_OF_MEMORY");
        }
    }

    /** Some rows of a store, with its blocks. */
    private Store part(Store whole, int first, int rows) {
        Store part = new Store();
        part.blocks.addAll(whole.blocks);
        for (Tensor tensor : whole.tensors) {
            long offset = first * heads * bytes(capacity);
            part.tensors.add(tensor.view(dtype, offset, shape(rows, capacity)));
        }
        return part;
    }

    private long[] shape(int rows, int positions) {
        return new long[] {rows, heads, positions, headDim};
    }

    private void move(Store next) {
        Store before = store;
        store = next;
        if (before == next) {
            return;
        }
        before.forget();
        for (Tensor block : before.blocks) {
            if (!next.blocks.contains(block)) {
                memory.give(block);
            }
        }
    }

    private void giveBack(Store unused) {
        unused.forget();
        for (Tensor block : unused.blocks) {
            memory.give(block);
        }
    }

    /** Copies positions `begin` to `end` of a row, which are together in each head. */
    private void copyRow(ByteBuffer from, int row, ByteBuffer to, int target, int begin, int end) {
        for (int head = 0; head < heads && begin < end; ++head) {
            long source = (row * heads + head) * bytes(capacity) + bytes(begin);
            long place = (target * heads + head) * bytes(capacity) + bytes(begin);
            copy(from, source, to, place, bytes(end - begin));
        }
    }

    private static void copy(ByteBuffer from, long source, ByteBuffer to, long target, long size) {
        from.limit((int) (source + size));
        from.position((int) source);
        to.limit((int) (target + size));
        to.position((int) target);
        to.put(from);
    }

    /** Whether a row is read after it was written, where they are copied one after another. */
    private static boolean overwrites(int[] rows) {
        for (int to = 0; to < rows.length; ++to) {
            for (int later = to + 1; rows[to] != to && later < rows.length; ++later) {
                if (rows[later] == to && later != to) {
                    return true;
                }
            }
        }
        return false;
    }
}
