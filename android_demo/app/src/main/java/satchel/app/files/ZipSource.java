package satchel.app.files;

import java.io.FilterInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipInputStream;
import satchel.SatchelException;

/**
 * A bundle in a zip archive: its files, or one folder with them. What an archive may do to its reader is bounded
 * here: where entries lie, how many there are, and how much they grow. How much there is room for, the receiver says.
 */
public final class ZipSource implements BundleSource {
    /** A bundle has few files; names alone could fill the memory otherwise. */
    static final int MOST_ENTRIES = 64;

    /** Weights of a transformer hardly shrink at all; what grows more than this is made to fill the disk. */
    static final int MOST_GROWTH = 100;

    private static final long ALWAYS_ALLOWED = 1 << 20; // a tokenizer shrinks well, and so does a tiny model

    private final InputStream stream;

    /** Reads an archive; the caller closes the stream. */
    public ZipSource(InputStream stream) {
        this.stream = stream;
    }

    @Override
    public void copyTo(Receiver receiver) throws IOException {
        Counted packed = new Counted(stream);
        ZipInputStream zip = new ZipInputStream(packed);
        Growth growth = new Growth(zip, packed);
        String folder = null;
        int entries = 0;
        try {
            for (ZipEntry entry = zip.getNextEntry(); entry != null; entry = zip.getNextEntry()) {
                if (++entries > MOST_ENTRIES) {
                    throw refused("it has more than " + MOST_ENTRIES + " entries");
                }
                String path = entry.getName();
                if (FileName.ofFinder(path)) {
                    drain(growth);
                    continue;
                }
                String within = folderOf(path);
                if (folder != null && !folder.equals(within)) {
                    throw refused("it holds more than one folder");
                }
                folder = within;
                String name = path.substring(within.length());
                if (!name.isEmpty()) { // or it is the folder itself
                    receiver.file(FileName.checked(name), growth);
                }
            }
        } catch (ZipException error) {
            throw refused(error.getMessage());
        } catch (IllegalArgumentException error) { // names that are not UTF-8
            throw refused(error.getMessage());
        }
        if (entries == 0) {
            throw refused("it is no archive, or an empty one");
        }
    }

    /** The folder that an entry lies in, with its slash: none, or one that has a plain name. */
    private static String folderOf(String path) {
        int slash = path.lastIndexOf('/');
        String folder = path.substring(0, slash + 1);
        boolean climbs = folder.equals("/") || folder.equals("./") || folder.equals("../");
        if (climbs || path.indexOf('\\') >= 0 || path.indexOf(0) >= 0) {
            throw SatchelException.bundle(
                    "the archive names " + SatchelException.shown(path) + ", which leads out of it", "BUNDLE_PATH");
        }
        if (folder.indexOf('/') < folder.length() - 1) {
            throw SatchelException.bundle(
                    "the archive names " + SatchelException.shown(path) + ": a bundle has no folders inside",
                    "BUNDLE_PATH");
        }
        return folder;
    }

    private static void drain(InputStream stream) throws IOException {
        byte[] buffer = new byte[8192];
        int read = 0;
        while (read >= 0) {
            read = stream.read(buffer);
        }
    }

    private static SatchelException refused(String why) {
        return SatchelException.bundle("the archive cannot be read: " + why, "BUNDLE");
    }

    /** Counts what was read of the archive. */
    private static final class Counted extends FilterInputStream {
        long bytes;

        Counted(InputStream stream) {
            super(stream);
        }

        @Override
        public int read() throws IOException {
            int value = super.read();
            bytes += value < 0 ? 0 : 1;
            return value;
        }

        @Override
        public int read(byte[] into, int from, int count) throws IOException {
            int read = super.read(into, from, count);
            bytes += Math.max(0, read);
            return read;
        }
    }

    /** What the archive unpacks to, held against what was read of it. */
    private static final class Growth extends FilterInputStream {
        private final Counted packed;
        private long bytes;

        Growth(InputStream zip, Counted packed) {
            super(zip);
            this.packed = packed;
        }

        @Override
        public int read() throws IOException {
            int value = super.read();
            count(value < 0 ? 0 : 1);
            return value;
        }

        @Override
        public int read(byte[] into, int from, int count) throws IOException {
            int read = super.read(into, from, count);
            count(Math.max(0, read));
            return read;
        }

        private void count(int more) {
            bytes += more;
            if (bytes > ALWAYS_ALLOWED + MOST_GROWTH * packed.bytes) {
                throw SatchelException.limit(
                        "the archive unpacks to more than " + MOST_GROWTH + " times its size", "TOO_LARGE");
            }
        }
    }
}
