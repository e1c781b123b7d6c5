package satchel.bundle;

import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.Charset;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.Arrays;
import java.util.Locale;
import satchel.SatchelException;

/** Files of a bundle against what its manifest says of them. */
final class Files {
    private static final int LONGEST_NAME = 64;
    private static final int PIECE = 1 << 16;
    private static final char[] HEX = "0123456789abcdef".toCharArray();

    private Files() {}

    /** Raises BUNDLE_PATH, BUNDLE_FILE or BUNDLE_HASH unless a listed file is there and has its size. */
    static void checkSize(File folder, String name, Manifest.FileEntry expected) {
        if (!isPlain(name)) {
            throw SatchelException.bundle(
                    Bundle.MANIFEST + " lists " + SatchelException.shown(name) + ", which is not a plain name",
                    "BUNDLE_PATH");
        }
        File path = new File(folder, name);
        if (!path.exists()) {
            throw SatchelException.bundle(
                    name + " is missing from " + SatchelException.shown(folder), "BUNDLE_FILE");
        }
        checkInside(folder, name);
        if (path.length() != expected.size) {
            throw SatchelException.bundle(
                    name + " has " + path.length() + " bytes, " + Bundle.MANIFEST + " says " + expected.size
                            + hint(path) + "; export or download the bundle again",
                    "BUNDLE_HASH");
        }
    }

    /** Raises BUNDLE_HASH unless a file has the sha256 that is expected of it. */
    static void checkHash(File folder, String name, Manifest.FileEntry expected) {
        String sha256 = sha256(new File(folder, name));
        if (!sha256.equals(expected.sha256)) {
            throw SatchelException.bundle(
                    name + " does not match " + Bundle.MANIFEST + " (its sha256 is " + sha256 + ", expected "
                            + SatchelException.shown(expected.sha256, 70)
                            + "); export or download the bundle again",
                    "BUNDLE_HASH");
        }
    }

    /** A link may not lead out of the bundle; a hard link is a file like any other. */
    static void checkInside(File folder, String name) {
        File path = new File(folder, name);
        boolean inside = path.isFile();
        if (inside) {
            try {
                String whole = folder.getCanonicalPath();
                String start = whole.endsWith(File.separator) ? whole : whole + File.separator;
                inside = path.getCanonicalPath().startsWith(start);
            } catch (IOException error) {
                inside = false;
            }
        }
        if (!inside) {
            throw SatchelException.bundle(name + " is not a regular file of the bundle", "BUNDLE_PATH");
        }
    }

    /** Small letters, digits, and after the first of them dots, dashes and underscores. */
    private static boolean isPlain(String name) {
        if (name.isEmpty() || name.length() > LONGEST_NAME) {
            return false;
        }
        for (int i = 0; i < name.length(); ++i) {
            char c = name.charAt(i);
            boolean letter = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
            if (!letter && (i == 0 || (c != '.' && c != '_' && c != '-'))) {
                return false;
            }
        }
        return true;
    }

    /** Why a file may have another size. */
    private static String hint(File path) {
        String start = new String(beginning(path, 64), Charset.forName("ISO-8859-1"));
        int first = 0;
        while (first < start.length() && (start.charAt(first) == ' ' || isBreak(start.charAt(first)))) {
            ++first;
        }
        start = start.substring(first).toLowerCase(Locale.ROOT);
        if (start.startsWith("version https://git-lfs")) {
            return " (it is a Git LFS pointer: run git lfs pull)";
        }
        return start.startsWith("<!doctype") || start.startsWith("<html") ? " (it is a web page)" : "";
    }

    private static boolean isBreak(char c) {
        return c >= '\t' && c <= '\r';
    }

    /** The first bytes of a file, at most `most`. */
    static byte[] beginning(File path, int most) {
        try {
            InputStream file = new FileInputStream(path);
            try {
                byte[] bytes = new byte[most];
                int size = 0;
                int read = file.read(bytes);
                while (read > 0) {
                    size += read;
                    read = file.read(bytes, size, most - size);
                }
                return Arrays.copyOf(bytes, size);
            } finally {
                file.close();
            }
        } catch (IOException error) {
            throw unreadable(path, error);
        }
    }

    static String sha256(byte[] bytes) {
        return hex(digest().digest(bytes));
    }

    static String sha256(File path) {
        MessageDigest digest = digest();
        byte[] piece = new byte[PIECE];
        try {
            InputStream file = new FileInputStream(path);
            try {
                for (int read = file.read(piece); read >= 0; read = file.read(piece)) {
                    digest.update(piece, 0, read);
                }
            } finally {
                file.close();
            }
        } catch (IOException error) {
            throw unreadable(path, error);
        }
        return hex(digest.digest());
    }

    private static SatchelException unreadable(File path, IOException error) {
        return SatchelException.storage(
                SatchelException.shown(path) + ": " + SatchelException.shown(error.getMessage()), error);
    }

    private static MessageDigest digest() {
        try {
            return MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException error) {
            throw new IllegalStateException(error); // every Java has it
        }
    }

    private static String hex(byte[] bytes) {
        StringBuilder out = new StringBuilder(2 * bytes.length);
        for (byte b : bytes) {
            out.append(HEX[(b >> 4) & 15]).append(HEX[b & 15]);
        }
        return out.toString();
    }
}
