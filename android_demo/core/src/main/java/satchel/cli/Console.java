package satchel.cli;

import java.io.BufferedOutputStream;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.charset.Charset;
import satchel.SatchelException;

/** What a command reads from and writes to, all of it UTF-8 whatever the platform prefers. */
final class Console {
    static final Charset UTF_8 = Charset.forName("UTF-8");

    /** The reader of a pipe has had enough, which is no error. */
    static final class Closed extends RuntimeException {
        private static final long serialVersionUID = 1L;
    }

    final InputStream in;
    private final OutputStream out;
    private final OutputStream err;

    Console(InputStream in, OutputStream out, OutputStream err) {
        this.in = in;
        this.out = new BufferedOutputStream(out);
        this.err = err;
    }

    /** A line of what was asked for. */
    void line(String text) {
        print(text + "\n");
    }

    void print(String text) {
        try {
            out.write(text.getBytes(UTF_8));
        } catch (IOException error) {
            throw broken(error);
        }
    }

    void flush() {
        try {
            out.flush();
        } catch (IOException error) {
            throw broken(error);
        }
    }

    /** A line beside it, for the person who reads. */
    void note(String text) {
        flush();
        try {
            err.write((text + "\n").getBytes(UTF_8));
            err.flush();
        } catch (IOException ignored) {
            // Nobody reads it: the exit status says the rest.
        }
    }

    private static RuntimeException broken(IOException error) {
        String message = String.valueOf(error.getMessage());
        if (message.contains("Broken pipe") || message.contains("Pipe closed")) {
            return new Closed();
        }
        return SatchelException.storage("standard output: " + message, error);
    }

    /** Whether what is written goes to a person. */
    boolean isTerminal() {
        return leadsToTerminal(1);
    }

    /** Whether what is read comes from one. */
    boolean readsTerminal() {
        return leadsToTerminal(0);
    }

    private static boolean leadsToTerminal(int number) {
        File link = new File("/proc/self/fd/" + number);
        if (!link.exists()) {
            return System.console() != null;
        }
        try {
            String target = link.getCanonicalPath();
            return target.startsWith("/dev/pts/") || target.startsWith("/dev/tty") || target.equals("/dev/console");
        } catch (IOException error) {
            return false;
        }
    }

    /** A text that a model wrote; in a pipe it stays as it is. */
    String readable(String text) {
        return isTerminal() ? Readable.text(text) : text;
    }
}
