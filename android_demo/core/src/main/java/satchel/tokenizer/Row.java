package satchel.tokenizer;

import java.util.Arrays;
import java.util.Map;
import java.util.TreeMap;

/** An encoding that is being put together. */
final class Row {
    int[] ids = new int[16];
    int[] types = new int[16];
    int[] starts = new int[16];
    int[] ends = new int[16];
    int[] words = new int[16];
    String[] texts; // of the tokens, where something asks for them
    int size;

    /** By the numbers of texts, the first token of each and the one behind its last. */
    private final Map<Integer, int[]> ranges = new TreeMap<Integer, int[]>();

    Row(boolean keepsTexts) {
        texts = keepsTexts ? new String[16] : null;
    }

    void add(int id, int type, int start, int end, int word, String text) {
        if (size == ids.length) {
            ids = Arrays.copyOf(ids, 2 * size);
            types = Arrays.copyOf(types, 2 * size);
            starts = Arrays.copyOf(starts, 2 * size);
            ends = Arrays.copyOf(ends, 2 * size);
            words = Arrays.copyOf(words, 2 * size);
            texts = texts == null ? null : Arrays.copyOf(texts, 2 * size);
        }
        ids[size] = id;
        types[size] = type;
        starts[size] = start;
        ends[size] = end;
        words[size] = word;
        if (texts != null) {
            texts[size] = text;
        }
        ++size;
    }

    /** A token around a text. */
    void addSpecial(int id, int type, String text) {
        add(id, type, 0, 0, -1, text);
    }

    void setType(int type) {
        Arrays.fill(types, 0, size, type);
    }

    /** All of this is of text `number`. */
    void setSequence(int number) {
        setSequence(number, 0, size);
    }

    void setSequence(int number, int from, int to) {
        ranges.put(number, new int[] {from, to});
    }

    /** Adds the tokens of another, and not what texts they are of. */
    void appendTokens(Row other) {
        for (int i = 0; i < other.size; ++i) {
            add(other.ids[i], other.types[i], other.starts[i], other.ends[i], other.words[i],
                    other.texts == null ? null : other.texts[i]);
        }
    }

    void append(Row other) {
        int shift = size;
        appendTokens(other);
        for (Map.Entry<Integer, int[]> entry : other.ranges.entrySet()) {
            setSequence(entry.getKey(), shift + entry.getValue()[0], shift + entry.getValue()[1]);
        }
    }

    Row copy() {
        Row copy = new Row(texts != null);
        copy.append(this);
        return copy;
    }

    Encoding encoding() {
        int[] sequences = new int[size];
        Arrays.fill(sequences, -1);
        int count = Math.max(1, ranges.size());
        for (int number = 0; number < count; ++number) {
            int[] range = ranges.get(number);
            Arrays.fill(sequences, range == null ? 0 : range[0], range == null ? size : range[1], number);
        }
        return new Encoding(
                Arrays.copyOf(ids, size), Arrays.copyOf(types, size), Arrays.copyOf(starts, size),
                Arrays.copyOf(ends, size), Arrays.copyOf(words, size), sequences);
    }
}
