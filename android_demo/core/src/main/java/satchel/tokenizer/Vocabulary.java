package satchel.tokenizer;

import java.util.Arrays;
import java.util.List;
import satchel.SatchelException;

/** Tokens by text and by id. Their texts lie in one array, since a vocabulary may have hundreds of thousands. */
final class Vocabulary {
    static final char[] NOTHING = {};
    private static final int SEED = 7;

    private char[] letters = new char[1024];
    private int[] offsets;
    private int[] ids;
    private int[] table;
    private int count;
    private int distinct;
    private int longest;
    private int highest = -1;
    private int[] byId; // entry + 1
    private int[] sparseIds; // in order, where ids are too far apart for a table
    private int[] sparseEntries;

    private Vocabulary(int capacity) {
        offsets = new int[capacity + 1];
        ids = new int[capacity];
        table = new int[Math.max(16, Integer.highestOneBit(Math.max(1, capacity)) << 2)];
    }

    /** Tokens with their ids, as a model of tokenizer.json has them. */
    static Vocabulary of(Fields fields, String key) {
        JsonSpan span = fields.span(key, '{');
        Vocabulary vocabulary = new Vocabulary(span.count());
        for (boolean more = span.opens('{', '}'); more; more = span.goesOn('}')) {
            String token = span.string();
            span.expect(':');
            int id = span.id();
            if (id < 0) {
                throw Invalid.file("the token " + SatchelException.shown(token) + " has no whole number from 0 on for an id");
            }
            vocabulary.add(token, id);
            if (vocabulary.distinct < vocabulary.count) {
                throw Invalid.file("the token " + SatchelException.shown(token) + " is there twice");
            }
        }
        return vocabulary.closed();
    }

    /** Tokens whose ids are their places; of those that are there twice the last is found. */
    static Vocabulary of(List<String> tokens) {
        Vocabulary vocabulary = new Vocabulary(tokens.size());
        for (int i = 0; i < tokens.size(); ++i) {
            vocabulary.add(tokens.get(i), i);
        }
        return vocabulary.closed();
    }

    private void add(String token, int id) {
        int start = offsets[count];
        int end = start + token.length();
        if (end > letters.length) {
            letters = Arrays.copyOf(letters, Math.max(end, letters.length + (letters.length >> 1)));
        }
        token.getChars(0, token.length(), letters, start);
        offsets[count + 1] = end;
        ids[count] = id;
        longest = Math.max(longest, token.length());
        int slot = slot(NOTHING, letters, start, end, hash(SEED, letters, start, end));
        distinct += table[slot] == 0 ? 1 : 0;
        table[slot] = ++count;
    }

    private Vocabulary closed() {
        letters = Arrays.copyOf(letters, offsets[count]);
        for (int i = 0; i < count; ++i) {
            highest = Math.max(highest, ids[i]);
        }
        if (highest < 4L * count + 65536) {
            byId = new int[highest + 1];
            for (int i = 0; i < count; ++i) {
                byId[ids[i]] = i + 1;
            }
            return this;
        }
        long[] keys = new long[count];
        for (int i = 0; i < count; ++i) {
            keys[i] = (long) ids[i] << 32 | i;
        }
        Arrays.sort(keys);
        sparseIds = new int[count];
        sparseEntries = new int[count];
        for (int i = 0; i < count; ++i) {
            sparseIds[i] = (int) (keys[i] >>> 32);
            sparseEntries[i] = (int) keys[i];
        }
        return this;
    }

    /** A hash that goes on from the hash of what stands before. */
    static int hash(int before, char[] text, int from, int to) {
        int hash = before;
        for (int i = from; i < to; ++i) {
            hash = 31 * hash + text[i];
        }
        return hash;
    }

    static int seed() {
        return SEED;
    }

    private int slot(char[] first, char[] text, int from, int to, int hash) {
        int mask = table.length - 1;
        int at = (hash ^ hash >>> 15) * 0x9E3779B1 >>> 7 & mask;
        while (table[at] != 0 && !matches(table[at] - 1, first, text, from, to)) {
            at = at + 1 & mask;
        }
        return at;
    }

    private boolean matches(int entry, char[] first, char[] text, int from, int to) {
        int at = offsets[entry];
        if (offsets[entry + 1] - at != first.length + to - from) {
            return false;
        }
        for (char c : first) {
            if (letters[at++] != c) {
                return false;
            }
        }
        for (int i = from; i < to; ++i) {
            if (letters[at++] != text[i]) {
                return false;
            }
        }
        return true;
    }

    /** The id of `first` and a part of `text` together, whose hash is `hash`; -1 where there is none. */
    int find(char[] first, char[] text, int from, int to, int hash) {
        if (table.length == 0 || count == 0) {
            return -1;
        }
        int entry = table[slot(first, text, from, to, hash)];
        return entry == 0 ? -1 : ids[entry - 1];
    }

    int find(char[] text, int from, int to) {
        return find(NOTHING, text, from, to, hash(SEED, text, from, to));
    }

    int find(String token) {
        return find(token.toCharArray(), 0, token.length());
    }

    /** The token of an id, null where there is none. */
    String text(int id) {
        int entry = -1;
        if (byId != null) {
            entry = id >= 0 && id < byId.length ? byId[id] - 1 : -1;
        } else {
            int found = Arrays.binarySearch(sparseIds, id);
            entry = found >= 0 ? sparseEntries[found] : -1;
        }
        return entry < 0 ? null : new String(letters, offsets[entry], offsets[entry + 1] - offsets[entry]);
    }

    /** How many tokens, different ones. */
    int size() {
        return distinct;
    }

    /** How many tokens, those that are there twice counted twice. */
    int count() {
        return count;
    }

    /** The highest id, -1 where there is none. */
    int highest() {
        return highest;
    }

    /** The length of the longest, in UTF-16 units. */
    int longest() {
        return longest;
    }

    /** The entries in the order of their texts, by UTF-16 units. */
    int[] sorted() {
        Integer[] order = new Integer[count];
        for (int i = 0; i < count; ++i) {
            order[i] = i;
        }
        Arrays.sort(order, new java.util.Comparator<Integer>() {
            @Override
            public int compare(Integer a, Integer b) {
                return compareEntries(a, b);
            }
        });
        int[] sorted = new int[count];
        for (int i = 0; i < count; ++i) {
            sorted[i] = order[i];
        }
        return sorted;
    }

    private int compareEntries(int a, int b) {
        int p = offsets[a];
        int q = offsets[b];
        while (p < offsets[a + 1] && q < offsets[b + 1]) {
            if (letters[p] != letters[q]) {
                return letters[p] - letters[q];
            }
            ++p;
            ++q;
        }
        int difference = (offsets[a + 1] - p) - (offsets[b + 1] - q);
        return difference != 0 ? difference : a - b;
    }

    int length(int entry) {
        return offsets[entry + 1] - offsets[entry];
    }

    char letter(int entry, int index) {
        return letters[offsets[entry] + index];
    }
}
