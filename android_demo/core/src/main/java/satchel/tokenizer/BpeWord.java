package satchel.tokenizer;

import java.util.Arrays;
import java.util.PriorityQueue;

/** The pieces of one word while they merge. A piece of no length has gone into the one before it. */
final class BpeWord {
    private static final int SHORT = 32;

    int[] ids;
    int[] lengths; // in bytes
    int size;
    private int[] next;
    private int[] previous;

    BpeWord(int capacity) {
        ids = new int[capacity];
        lengths = new int[capacity];
    }

    void add(int id, int length) {
        if (size == ids.length) {
            ids = Arrays.copyOf(ids, 2 * size);
            lengths = Arrays.copyOf(lengths, 2 * size);
        }
        ids[size] = id;
        lengths[size++] = length;
    }

    /** Merges pairs, those with the lowest rank first and of them the leftmost. */
    void merge(Merges merges) {
        if (size < 2) {
            return;
        }
        if (size <= SHORT) {
            mergeShort(merges);
        } else {
            mergeLong(merges);
        }
    }

    /** Looks for the best pair anew each time: quicker than a queue where there are few. */
    private void mergeShort(Merges merges) {
        int[] places = new int[size]; // of the pair that begins here
        for (int i = 0; i + 1 < size; ++i) {
            places[i] = merges.find(ids[i], ids[i + 1]);
        }
        while (true) {
            int best = -1;
            int rank = Integer.MAX_VALUE;
            for (int i = 0; i + 1 < size; ++i) {
                if (places[i] >= 0 && merges.rank(places[i]) < rank) {
                    rank = merges.rank(places[i]);
                    best = i;
                }
            }
            if (best < 0) {
                return;
            }
            ids[best] = merges.token(places[best]);
            lengths[best] += lengths[best + 1];
            int rest = size - best - 2;
            System.arraycopy(ids, best + 2, ids, best + 1, rest);
            System.arraycopy(lengths, best + 2, lengths, best + 1, rest);
            System.arraycopy(places, best + 2, places, best + 1, rest);
            --size;
            if (best > 0) {
                places[best - 1] = merges.find(ids[best - 1], ids[best]);
            }
            places[best] = best + 1 < size ? merges.find(ids[best], ids[best + 1]) : -1;
        }
    }

    private void mergeLong(Merges merges) {
        next = new int[size];
        previous = new int[size];
        PriorityQueue<Long> queue = new PriorityQueue<Long>(size);
        for (int i = 0; i < size; ++i) {
            next[i] = i + 1 < size ? i + 1 : -1;
            previous[i] = i - 1;
        }
        for (int i = 0; i + 1 < size; ++i) {
            offer(queue, merges, i);
        }
        while (!queue.isEmpty()) {
            long best = queue.poll();
            int at = (int) best;
            if (lengths[at] == 0 || next[at] < 0) {
                continue;
            }
            int right = next[at];
            int place = merges.find(ids[at], ids[right]);
            if (place < 0 || merges.rank(place) != (int) (best >>> 32)) {
                continue; // the pair that was meant is no more
            }
            ids[at] = merges.token(place);
            lengths[at] += lengths[right];
            lengths[right] = 0;
            next[at] = next[right];
            if (next[at] >= 0) {
                previous[next[at]] = at;
                offer(queue, merges, at);
            }
            if (previous[at] >= 0) {
                offer(queue, merges, previous[at]);
            }
        }
    }

    private void offer(PriorityQueue<Long> queue, Merges merges, int at) {
        int place = merges.find(ids[at], ids[next[at]]);
        if (place >= 0) {
            queue.add((long) merges.rank(place) << 32 | at);
        }
    }
}
