package satchel.cli;

import java.io.BufferedInputStream;
import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.charset.CharacterCodingException;
import java.security.MessageDigest;
import java.security.NoSuchAlgorithmException;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import satchel.SatchelException;

/** The lines of a text file or of standard input: counted, hashed, read one by one. Knows no model. */
final class Lines implements AutoCloseable {
    private static final byte[] MARK = {(byte) 0xef, (byte) 0xbb, (byte) 0xbf};

    private final InputStream source;
    private final String name;
    private int number;

    private Lines(InputStream source, String name) {
        this.source = new BufferedInputStream(source, 1 << 16);
        this.name = name;
    }

    /** The lines without their ends, and without the mark that some editors begin a file with. */
    static Lines of(File file) {
        return new Lines(opened(file), SatchelException.shown(file));
    }

    static Lines piped(InputStream source) {
        return new Lines(source, "standard input");
    }

    /** The next line, null behind the last. */
    String next() {
        byte[] line = bytes();
        if (line == null) {
            return null;
        }
        boolean marked = number == 1 && line.length >= MARK.length;
        for (int i = 0; marked && i < MARK.length; ++i) {
            marked = line[i] == MARK[i];
        }
        String text = text(marked ? Arrays.copyOfRange(line, MARK.length, line.length) : line);
        int end = text.length();
        while (end > 0 && (text.charAt(end - 1) == '\n' || text.charAt(end - 1) == '\r')) {
            --end;
        }
        return text.substring(0, end);
    }

    /** So many of the next lines, fewer at the end. */
    List<String> next(int most) {
        List<String> lines = new ArrayList<String>();
        String line = most > 0 ? next() : null;
        while (line != null) {
            lines.add(line);
            line = lines.size() < most ? next() : null;
        }
        return lines;
    }

    List<String> rest() {
        return next(Integer.MAX_VALUE);
    }

    /** The bytes of a line with its end, null behind the last. */
    private byte[] bytes() {
        try {
            ByteArrayOutputStream line = new ByteArrayOutputStream();
            for (int next = source.read(); next >= 0; next = source.read()) {
                line.write(next);
                if (next == '\n') {
                    break;
                }
            }
            if (line.size() == 0) {
                return null;
            }
            ++number;
            return line.toByteArray();
        } catch (IOException error) {
            throw SatchelException.storage(name + ": " + error.getMessage(), error);
        }
    }

    private String text(byte[] line) {
        try {
            return Console.UTF_8.newDecoder().decode(ByteBuffer.wrap(line)).toString();
        } catch (CharacterCodingException error) {
            throw SatchelException.usage(name + ": line " + number + " is not UTF-8", "PROMPT_ENCODING");
        }
    }

    @Override
    public void close() {
        try {
            source.close();
        } catch (IOException ignored) {
            // It was only read.
        }
    }

    /** How many lines a file has, and the sha256 of them all. */
    static final class Count {
        final int lines;
        final String sha256;

        private Count(int lines, String sha256) {
            this.lines = lines;
            this.sha256 = sha256;
        }
    }

    /** Counts the lines of a file. Raises EMPTY_PROMPT for none, and PROMPT_ENCODING for one that is not UTF-8. */
    static Count count(File file) {
        MessageDigest digest;
        try {
            digest = MessageDigest.getInstance("SHA-256");
        } catch (NoSuchAlgorithmException error) {
            throw new IllegalStateException(error); // every Java has it
        }
        Lines lines = of(file);
        try {
            for (byte[] line = lines.bytes(); line != null; line = lines.bytes()) {
                digest.update(line);
                lines.text(line);
            }
        } finally {
            lines.close();
        }
        if (lines.number == 0) {
            throw SatchelException.usage(lines.name + " has no lines", "EMPTY_PROMPT");
        }
        StringBuilder hex = new StringBuilder();
        for (byte b : digest.digest()) {
            hex.append(Character.forDigit((b >> 4) & 15, 16)).append(Character.forDigit(b & 15, 16));
        }
        return new Count(lines.number, hex.toString());
    }

    /** A file to read; STORAGE with its name where that fails. */
    static InputStream opened(File file) {
        try {
            return new FileInputStream(file);
        } catch (IOException error) {
            throw failed(file, error);
        }
    }

    /** An error of the system, with the name of the file it is of. */
    static SatchelException failed(File file, IOException error) {
        String message = String.valueOf(error.getMessage());
        int start = message.lastIndexOf(" (");
        boolean inside = start >= 0 && message.endsWith(")");
        String reason = inside ? message.substring(start + 2, message.length() - 1) : message;
        return SatchelException.storage(SatchelException.shown(file) + ": " + reason, error);
    }
}
