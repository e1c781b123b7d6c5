package satchel.tokenizer;

/** Pairs of tokens that become one: a table from the pair to the merge's rank and the new token. */
final class Merges {
    private final long[] keys;
    private final int[] ranks;
    private final int[] made;
    private final int mask;

    Merges(int count) {
        int size = Math.max(16, Integer.highestOneBit(Math.max(1, count)) << 2);
        keys = new long[size];
        ranks = new int[size];
        made = new int[size];
        mask = size - 1;
        java.util.Arrays.fill(keys, -1);
    }

    void put(int left, int right, int rank, int token) {
        int slot = slot(left, right);
        keys[slot] = (long) left << 32 | right;
        ranks[slot] = rank;
        made[slot] = token;
    }

    private int slot(int left, int right) {
        long key = (long) left << 32 | right;
        long mixed = key * 0x9E3779B97F4A7C15L;
        int at = (int) (mixed >>> 32) & mask;
        while (keys[at] != key && keys[at] != -1) {
            at = at + 1 & mask;
        }
        return at;
    }

    /** The place of a pair, for {@link #rank} and {@link #token}; -1 where it does not merge. */
    int find(int left, int right) {
        int slot = slot(left, right);
        return keys[slot] == -1 ? -1 : slot;
    }

    int rank(int place) {
        return ranks[place];
    }

    int token(int place) {
        return made[place];
    }
}
