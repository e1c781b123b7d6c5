package satchel.decoder;

import java.util.ArrayList;
import java.util.List;
import satchel.ort.Tensor;

/**
 * Blocks of bytes that caches gave back, for those to come. Safe to use from several threads.
 *
 * <p>Memory that is new to the process is slow where it is first touched: a large cache of it costs as much as
 * several steps.
 */
final class Memory {
    private static final long KEPT = 128L << 20; // bytes that wait for the next cache, at most

    private final List<Tensor> spare = new ArrayList<Tensor>();
    private boolean closed;

    /** `size` bytes or more, zeros or what another cache left there. Throws OUT_OF_MEMORY. */
    Tensor take(long size) {
        synchronized (this) {
            Tensor best = null;
            for (Tensor block : spare) {
                if (size(block) >= size && (best == null || size(block) < size(best))) {
                    best = block;
                }
            }
            if (best != null) {
                spare.remove(best);
                return best;
            }
        }
        return Tensor.zeros("int8", size);
    }

    /** Takes back a block, unless too much is waiting already. */
    void give(Tensor block) {
        synchronized (this) {
            long waiting = size(block);
            for (Tensor other : spare) {
                waiting += size(other);
            }
            if (waiting <= KEPT && !closed) {
                spare.add(block);
                return;
            }
        }
        block.close();
    }

    /** Gives back to the system what waits, and what will be given. */
    void close() {
        List<Tensor> blocks;
        synchronized (this) {
            closed = true;
            blocks = new ArrayList<Tensor>(spare);
            spare.clear();
        }
        for (Tensor block : blocks) {
            block.close();
        }
    }

    private static long size(Tensor block) {
        return block.buffer().capacity();
    }
}
