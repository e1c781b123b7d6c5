package satchel.cli;

import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.FileInputStream;
import java.io.FileOutputStream;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;

/** Small files, written whole or not at all: beside their place first, then in it. */
final class WholeFile {
    private WholeFile() {}

    static String read(File file) throws IOException {
        InputStream source = new FileInputStream(file);
        try {
            ByteArrayOutputStream all = new ByteArrayOutputStream();
            byte[] piece = new byte[1 << 16];
            for (int read = source.read(piece); read >= 0; read = source.read(piece)) {
                all.write(piece, 0, read);
            }
            return new String(all.toByteArray(), Console.UTF_8);
        } finally {
            source.close();
        }
    }

    /** A link stays one; a pipe or a device is written to, not replaced. */
    static void write(File file, String text) throws IOException {
        File target = file.getCanonicalFile();
        if (target.exists() && !target.isFile()) {
            put(target, text);
            return;
        }
        File fresh = new File(target.getParentFile(), "." + target.getName() + ".tmp-" + System.nanoTime());
        try {
            put(fresh, text);
            move(fresh, target);
        } finally {
            delete(fresh);
        }
    }

    private static void put(File file, String text) throws IOException {
        OutputStream out = new FileOutputStream(file);
        try {
            out.write(text.getBytes(Console.UTF_8));
        } finally {
            out.close();
        }
    }

    static void move(File from, File to) throws IOException {
        boolean moved = from.renameTo(to) || (to.delete() && from.renameTo(to)); // Windows replaces nothing
        if (!moved) {
            throw new IOException("it cannot be renamed from " + from.getName());
        }
    }

    /** Deletes a file where there is one. */
    static void delete(File file) {
        if (file.exists() && !file.delete()) {
            file.deleteOnExit();
        }
    }
}
