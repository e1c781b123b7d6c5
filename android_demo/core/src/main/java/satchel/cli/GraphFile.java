package satchel.cli;

import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import satchel.SatchelException;

/** The operators of an ONNX file, read from its protobuf message: graph 7, node 1, op_type 4. */
final class GraphFile {
    private static final int GRAPH = 7;
    private static final int NODE = 1;
    private static final int OPERATOR = 4;
    private static final int VARINT = 0;
    private static final int EIGHT_BYTES = 1;
    private static final int BYTES = 2;
    private static final int FOUR_BYTES = 5;

    private final byte[] data;
    private final Map<String, Integer> counts = new LinkedHashMap<String, Integer>();
    private int nodes;

    private GraphFile(byte[] data) {
        this.data = data;
    }

    /** How many nodes there are and of what operators, the most frequent first; that it is not readable. */
    static String operators(File file) {
        GraphFile graph;
        try {
            graph = new GraphFile(bytes(file));
            graph.read(0, graph.data.length, GRAPH);
        } catch (IllegalArgumentException error) {
            return " (not readable: " + SatchelException.shown(error.getMessage()) + ")";
        }
        List<Map.Entry<String, Integer>> entries = new ArrayList<Map.Entry<String, Integer>>(graph.counts.entrySet());
        Collections.sort(entries, new Comparator<Map.Entry<String, Integer>>() {
            @Override
            public int compare(Map.Entry<String, Integer> one, Map.Entry<String, Integer> other) {
                return other.getValue() - one.getValue();
            }
        });
        StringBuilder listed = new StringBuilder();
        for (Map.Entry<String, Integer> entry : entries) {
            listed.append(listed.length() > 0 ? ", " : "").append(entry.getValue()).append(' ').append(entry.getKey());
        }
        return ", " + graph.nodes + " nodes: " + listed;
    }

    private static byte[] bytes(File file) {
        byte[] data = new byte[(int) file.length()];
        try {
            InputStream source = Lines.opened(file);
            try {
                int size = 0;
                for (int read = 0; read >= 0 && size < data.length; size += Math.max(0, read)) {
                    read = source.read(data, size, data.length - size);
                }
            } finally {
                source.close();
            }
        } catch (IOException error) {
            throw Lines.failed(file, error);
        }
        return data;
    }

    /** Looks for a field in the message that lies from `at` to `end`: a graph, a node of it, a node's operator. */
    private void read(int at, int end, int wanted) {
        int place = at;
        while (place < end) {
            long[] tag = varint(place, end);
            place = (int) tag[1];
            int field = (int) (tag[0] >>> 3);
            int kind = (int) (tag[0] & 7);
            if (kind == VARINT) {
                place = (int) varint(place, end)[1];
            } else if (kind == EIGHT_BYTES || kind == FOUR_BYTES) {
                place += kind == EIGHT_BYTES ? 8 : 4;
            } else if (kind == BYTES) {
                long[] size = varint(place, end);
                place = (int) size[1];
                if (size[0] < 0 || size[0] > end - place) {
                    throw new IllegalArgumentException("a field is longer than the file");
                }
                if (field == wanted) {
                    found(place, place + (int) size[0], wanted);
                }
                place += (int) size[0];
            } else {
                throw new IllegalArgumentException("Error parsing message");
            }
        }
        if (place != end) {
            throw new IllegalArgumentException("Error parsing message");
        }
    }

    private void found(int at, int end, int what) {
        if (what == GRAPH) {
            read(at, end, NODE);
        } else if (what == NODE) {
            ++nodes;
            read(at, end, OPERATOR);
        } else {
            String operator = new String(data, at, end - at, Console.UTF_8);
            Integer before = counts.get(operator);
            counts.put(operator, before == null ? 1 : before + 1);
        }
    }

    /** A number in groups of seven bits, and the place behind it. */
    private long[] varint(int at, int end) {
        long value = 0;
        for (int i = 0; i < 10 && at + i < end; ++i) {
            value |= (long) (data[at + i] & 127) << (7 * i);
            if (data[at + i] >= 0) {
                return new long[] {value, at + i + 1};
            }
        }
        throw new IllegalArgumentException("Error parsing message");
    }
}
