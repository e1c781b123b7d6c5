package satchel.cli;

import java.io.File;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import satchel.SatchelException;

/**
 * The lines of a text file become rows of a .npy file; a run that was killed goes on. Knows no model.
 *
 * <p>Rows are appended to OUT.part, whose size says how far a run came; OUT.part.json says what of.
 */
final class Vectors {
    /** Lines embedded at once; a run goes on at a multiple of it. */
    private static final int CHUNK = 512;
    private static final int ALIGNED = 64; // bytes of which a header is a multiple
    private static final int ROOM = 21; // digits that a number of rows may grow to

    private Vectors() {}

    /** What makes vectors of texts. */
    interface Embed {
        float[][] of(List<String> texts);
    }

    /**
     * Writes float32 [lines, dim] to `out`; the lines, and how many were there already. `settings` is what else
     * decides the result: a part that was made with others, or of other lines, is refused, or begun anew with
     * `overwrite`.
     */
    static int[] embedFile(
            File source, File out, int dim, Map<String, Object> settings, boolean overwrite, Embed embed) {
        checkOutput(out, overwrite);
        Lines.Count count = Lines.count(source);
        File part = new File(out.getPath() + ".part");
        File journal = new File(out.getPath() + ".part.json");
        Map<String, Object> made = new TreeMap<String, Object>(settings);
        made.put("lines", count.lines);
        made.put("sha256", count.sha256);
        made.put("dim", dim);
        String madeOf = Readable.json(made);
        byte[] header = header(count.lines, dim);
        long row = 4L * dim;
        int done = 0;
        try {
            if (part.exists() && journal.exists() && WholeFile.read(journal).equals(madeOf)) {
                done = (int) (Math.max(0, part.length() - header.length) / row / CHUNK * CHUNK);
            } else if (part.exists() && part.length() > header.length && !overwrite) {
                throw SatchelException.usage(SatchelException.shown(part)
                        + " is from another run (another file, bundle or option); --overwrite begins anew");
            } else {
                WholeFile.write(journal, madeOf); // first, so that no part is without
            }
            write(source, part, header, done, row, embed);
            WholeFile.move(part, out);
            WholeFile.delete(journal);
        } catch (IOException error) {
            throw written(out, error);
        }
        return new int[] {count.lines, done};
    }

    private static void write(File source, File part, byte[] header, int done, long row, Embed embed)
            throws IOException {
        RandomAccessFile file = new RandomAccessFile(part, "rw");
        Lines lines = Lines.of(source);
        try {
            if (done == 0) {
                file.setLength(0);
                file.write(header);
            }
            file.setLength(header.length + done * row);
            file.seek(file.length());
            for (int skipped = 0; skipped < done; skipped += CHUNK) {
                lines.next(CHUNK);
            }
            for (List<String> texts = lines.next(CHUNK); !texts.isEmpty(); texts = lines.next(CHUNK)) {
                file.write(bytes(embed.of(texts)));
            }
            file.getFD().sync();
        } finally {
            lines.close();
            file.close();
        }
    }

    /** Writes `out` at once: whole or not at all. */
    static void save(File out, float[][] vectors, int dim, boolean overwrite) {
        checkOutput(out, overwrite);
        File fresh = new File(out.getPath() + ".new");
        try {
            RandomAccessFile file = new RandomAccessFile(fresh, "rw");
            try {
                file.setLength(0);
                file.write(header(vectors.length, dim));
                file.write(bytes(vectors));
            } finally {
                file.close();
            }
            WholeFile.move(fresh, out);
        } catch (IOException error) {
            throw written(out, error);
        } finally {
            WholeFile.delete(fresh);
        }
    }

    /** Refuses what cannot be written, before any work. */
    static void checkOutput(File out, boolean overwrite) {
        String name = SatchelException.shown(out);
        if (!out.getName().endsWith(".npy") || out.getName().equals(".npy")) {
            throw SatchelException.usage("--out " + name + ": expected a name that ends with .npy");
        }
        File folder = out.getAbsoluteFile().getParentFile();
        if (folder == null || !folder.isDirectory() || out.isDirectory()) {
            throw SatchelException.storage("--out " + name + ": not a file in an existing folder", null);
        }
        if (out.exists() && !overwrite) {
            throw SatchelException.usage("--out " + name + " exists; --overwrite replaces it");
        }
    }

    private static SatchelException written(File out, IOException error) {
        return SatchelException.storage(
                "cannot write " + SatchelException.shown(out) + ": " + error.getMessage(), error);
    }

    /** Numbers as float32, the lowest byte first. */
    private static byte[] bytes(float[][] rows) {
        int size = 0;
        for (float[] row : rows) {
            size += 4 * row.length;
        }
        ByteBuffer bytes = ByteBuffer.allocate(size).order(ByteOrder.LITTLE_ENDIAN);
        for (float[] row : rows) {
            for (float number : row) {
                bytes.putFloat(number);
            }
        }
        return bytes.array();
    }

    /** What a .npy file of float32 [count, dim] begins with, version 1.0. */
    static byte[] header(int count, int dim) {
        StringBuilder text = new StringBuilder("{'descr': '<f4', 'fortran_order': False, 'shape': (")
                .append(count).append(", ").append(dim).append("), }");
        for (int i = String.valueOf(count).length(); i < ROOM; ++i) {
            text.append(' ');
        }
        int before = 6 + 2 + 2; // a magic word, a version, the length of the text
        int padding = ALIGNED - (before + text.length() + 1) % ALIGNED;
        for (int i = 0; i < padding; ++i) {
            text.append(' ');
        }
        text.append('\n');
        ByteBuffer bytes = ByteBuffer.allocate(before + text.length()).order(ByteOrder.LITTLE_ENDIAN);
        bytes.put((byte) 0x93).put("NUMPY".getBytes(Console.UTF_8)).put((byte) 1).put((byte) 0);
        bytes.putShort((short) text.length()).put(text.toString().getBytes(Console.UTF_8));
        return bytes.array();
    }
}
