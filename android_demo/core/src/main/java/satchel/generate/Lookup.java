package satchel.generate;

import java.util.Arrays;

/**
 * What a text may go on with, from known ids (a prompt or a source) and from itself: prompt lookup (Saxena, 2023).
 *
 * <p>The last ids are looked up in the prompt and in the text itself. What followed them there is a draft, to be read
 * along with the next id in one run. Knows no text and no choosing. An id costs the same however long the text is.
 */
public final class Lookup {
    private static final int LONGEST = 16; // ids alike before a place: more tell no more
    private static final int MEMORY = 16; // ids after which a chance has forgotten most of what was
    // What an id read along costs of a step: the weights are read once for all ids, but each attends to the text on
    // its own. At ATTENDING positions attention takes as long as the weights.
    private static final double ALONG = 0.15;
    private static final double ATTENDING = 3000;

    // How often the id at a place is right, by the power of two of how many ids before it are alike: a first guess,
    // corrected by each id of the text, whether it was in a draft or not.
    private final double[] chances = {0.1, 0.2, 0.5, 0.7, 0.9};
    private int[] ids;
    private int length;
    private final Places threes; // of the sequences that are looked up, the longest that is found counts
    private final Places ones;
    private int place; // of the id that is expected next
    private int alike; // how many ids before that place are those at the end; 0: none is expected

    public Lookup(int[] known) {
        ids = Arrays.copyOf(known, known.length + 64);
        length = known.length;
        threes = new Places(3, length);
        ones = new Places(1, length);
        for (int behind = 1; behind <= length; ++behind) {
            threes.put(ids, behind);
            ones.put(ids, behind);
        }
    }

    /** Goes on with the text's next id. */
    public void add(int id) {
        boolean right = alike > 0 && ids[place] == id;
        if (alike > 0) {
            int kind = kind(alike);
            chances[kind] += ((right ? 1 : 0) - chances[kind]) / MEMORY;
        }
        if (length == ids.length) {
            ids = Arrays.copyOf(ids, 2 * length);
        }
        ids[length++] = id;
        if (right) {
            ++place;
            ++alike;
        } else {
            find();
        }
        threes.put(ids, length);
        ones.put(ids, length);
    }

    /**
     * Writes the ids that are worth reading ahead to `drafted`, up to `most` of them and none of `ends`; how many there
     * are.
     */
    public int draft(int most, int[] ends, int[] drafted) {
        int count = 0;
        double chance = 1;
        double attention = length / ATTENDING;
        double cost = (ALONG + attention) / (1 + attention);
        while (alike > 0 && count < most) {
            int next = place + count;
            int id = next < length ? ids[next] : drafted[next - length];
            chance *= chances[kind(alike + count)]; // that all up to here are right
            if (chance < cost || Texts.contains(ends, id)) {
                break;
            }
            drafted[count++] = id;
        }
        return count;
    }

    private void find() {
        alike = 0;
        int found = threes.get(ids, length);
        if (found == 0) {
            found = ones.get(ids, length);
        }
        if (found > 0) {
            place = found;
            while (alike < Math.min(place, LONGEST) && ids[place - 1 - alike] == ids[length - 1 - alike]) {
                ++alike;
            }
        }
    }

    private static int kind(int alike) {
        return 31 - Integer.numberOfLeadingZeros(Math.min(alike, LONGEST));
    }

    /** The place behind the last occurrence of each sequence of some size: a hash table of places in the ids. */
    private static final class Places {
        private final int size;
        private int[] table; // 0: nothing is there
        private int used;

        Places(int size, int expected) {
            this.size = size;
            table = new int[Math.max(64, Integer.highestOneBit(Math.max(1, expected)) * 4)];
        }

        /** The place behind the last occurrence of the ids that end at `end`; 0 where there is none. */
        int get(int[] ids, int end) {
            return end < size ? 0 : table[slot(ids, end)];
        }

        void put(int[] ids, int end) {
            if (end < size) {
                return;
            }
            int slot = slot(ids, end);
            used += table[slot] == 0 ? 1 : 0;
            table[slot] = end;
            if (2 * used > table.length) {
                int[] before = table;
                table = new int[2 * before.length];
                for (int each : before) {
                    if (each != 0) {
                        table[slot(ids, each)] = each;
                    }
                }
            }
        }

        private int slot(int[] ids, int end) {
            int hash = 0;
            for (int i = end - size; i < end; ++i) {
                hash = (hash ^ ids[i]) * 0x9e3779b1;
                hash ^= hash >>> 15;
            }
            int slot = hash & (table.length - 1);
            while (table[slot] != 0 && !same(ids, table[slot], end)) {
                slot = (slot + 1) & (table.length - 1);
            }
            return slot;
        }

        private boolean same(int[] ids, int first, int second) {
            for (int i = 1; i <= size; ++i) {
                if (ids[first - i] != ids[second - i]) {
                    return false;
                }
            }
            return true;
        }
    }
}
