package satchel;

import java.util.Locale;

/**
 * An error that a person can cause: one line that says what was found, what was expected, what to do. Only
 * {@link #code} is stable; codes and exit statuses are those of the Python runtime.
 */
public class SatchelException extends RuntimeException {
    private static final long serialVersionUID = 1L;
    private static final int SHOWN = 120;

    /** A stable name, for example "BUNDLE_HASH". */
    public final String code;

    /** What a command line exits with. */
    public final int exitStatus;

    protected SatchelException(String message, String code, int exitStatus, Throwable cause) {
        super(oneLine(message), cause);
        this.code = code;
        this.exitStatus = exitStatus;
    }

    /** An error of no other kind. */
    public static SatchelException error(String message, String code) {
        return new SatchelException(message, code, 1, null);
    }

    /** An option or argument that makes no sense. */
    public static SatchelException usage(String message) {
        return usage(message, "USAGE");
    }

    public static SatchelException usage(String message, String code) {
        return new SatchelException(message, code, 2, null);
    }

    /** The bundle on disk is not what its manifest says. */
    public static SatchelException bundle(String message) {
        return bundle(message, "BUNDLE");
    }

    public static SatchelException bundle(String message, String code) {
        return new SatchelException(message, code, 4, null);
    }

    public static SatchelException bundle(String message, String code, Throwable cause) {
        return new SatchelException(message, code, 4, cause);
    }

    /** Valid input that this runtime does not turn into a right answer. */
    public static SatchelException unsupported(String message) {
        return new SatchelException(message, "UNSUPPORTED", 5, null);
    }

    /** Too long, too large, or out of memory. */
    public static SatchelException limit(String message, String code) {
        return new SatchelException(message, code, 6, null);
    }

    /** Reading from or writing to disk failed. */
    public static SatchelException storage(String message, Throwable cause) {
        return new SatchelException(message, "STORAGE", 7, cause);
    }

    /** A name from a file, safe to print: quoted, ASCII, escaped, cut; numbers, true and nothing unquoted. */
    public static String shown(Object name) {
        return shown(name, SHOWN);
    }

    public static String shown(Object name, int limit) {
        if (name == null || name instanceof Number || name instanceof Boolean) {
            String text = name == null ? "None" : plain(name);
            return text.length() <= limit ? text : text.substring(0, limit - 3) + "...";
        }
        String text = quoted(name.toString());
        return text.length() <= limit ? text : text.substring(0, limit - 4) + "...'";
    }

    private static String plain(Object value) {
        if (value instanceof Boolean) {
            return (Boolean) value ? "True" : "False";
        }
        return value.toString();
    }

    private static String quoted(String text) {
        char quote = text.indexOf('\'') >= 0 && text.indexOf('"') < 0 ? '"' : '\'';
        StringBuilder out = new StringBuilder(text.length() + 2).append(quote);
        for (int i = 0; i < text.length(); ) {
            int c = text.codePointAt(i);
            i += Character.charCount(c);
            if (c == quote || c == '\\') {
                out.append('\\').append((char) c);
            } else if (c == '\n' || c == '\r' || c == '\t') {
                out.append(c == '\n' ? "\\n" : c == '\r' ? "\\r" : "\\t");
            } else if (c >= ' ' && c < 127) {
                out.append((char) c);
            } else {
                String form = c < 256 ? "\\x%02x" : c < 65536 ? "\\u%04x" : "\\U%08x";
                out.append(String.format(Locale.ROOT, form, c));
            }
        }
        return out.append(quote).toString();
    }

    /** Without line breaks and double spaces, so that an error stays one line. */
    private static String oneLine(String message) {
        StringBuilder out = new StringBuilder(message.length());
        boolean space = false;
        for (int i = 0; i < message.length(); ++i) {
            char c = message.charAt(i);
            if (c == ' ' || (c >= '\t' && c <= '\r')) {
                space = out.length() > 0;
                continue;
            }
            if (space) {
                out.append(' ');
                space = false;
            }
            out.append(c);
        }
        return out.toString();
    }
}
