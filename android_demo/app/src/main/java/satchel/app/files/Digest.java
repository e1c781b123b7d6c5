package satchel.app.files;

import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;

/** SHA-256 of what a stream holds. */
public final class Digest {
    private static final char[] HEX = "0123456789abcdef".toCharArray();

    private Digest() {}

    /** In hexadecimal; reads the stream to its end and leaves it open. */
    public static String of(InputStream stream) throws IOException {
        MessageDigest digest;
        try {
            digest = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException error) {
            throw new IllegalStateException(error); // every Java platform has it
        }
        byte[] buffer = new byte[1 << 16];
        for (int read = stream.read(buffer); read >= 0; read = stream.read(buffer)) {
            digest.update(buffer, 0, read);
        }
        StringBuilder out = new StringBuilder(64);
        for (byte value : digest.digest()) {
            out.append(HEX[(value >> 4) & 15]).append(HEX[value & 15]);
        }
        return out.toString();
    }

    public static String of(File file) throws IOException {
        InputStream stream = new FileInputStream(file);
        try {
            return of(stream);
        } finally {
            stream.close();
        }
    }
}
