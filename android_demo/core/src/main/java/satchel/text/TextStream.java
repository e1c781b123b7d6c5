package satchel.text;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collection;
import java.util.List;
import satchel.tokenizer.Tokenizer;

/**
 * Turns ids into pieces of text: whole characters only, nothing of a stop string. The pieces and {@link #close} are
 * the text up to the stop string complete first. What later ids may change waits for at most 32 ids.
 */
public final class TextStream {
    /** Ids whose text may wait: more than any script needs, little enough to decode again. */
    private static final int PATIENCE = 32;
    /** Of a character, at most. */
    private static final int BYTES = 4;
    private static final char REPLACEMENT = '\ufffd';

    private final Tokenizer tokenizer;
    private final List<String> stop;
    private boolean stopped;
    /** A window: the ids of the last piece and those since. */
    private int[] ids = new int[64];
    private int size;
    /** How many of them are in text that was handed on. */
    private int settled;
    /** Text that may be the start of a stop string. */
    private String held = "";

    public TextStream(Tokenizer tokenizer, Collection<String> stop) {
        this.tokenizer = tokenizer;
        this.stop = new ArrayList<String>(stop);
    }

    /** Whether a stop string has come: no more pieces follow. */
    public boolean stopped() {
        return stopped;
    }

    /** The text that an id completes, possibly none. */
    public String add(int token) {
        // Twice, because a decoder may strip a first space.
        if (tokenizer.decode(new int[] {token, token}, true).isEmpty()) {
            return ""; // a special token, or none at all
        }
        if (size == ids.length) {
            ids = Arrays.copyOf(ids, 2 * size);
        }
        ids[size++] = token;
        int end = whole();
        String piece = behind(decode(end), decode(settled));
        if (!piece.isEmpty()) {
            // The settled ids stay in the window: decoders treat the first id of a text differently.
            System.arraycopy(ids, settled, ids, 0, size - settled);
            size -= settled;
            settled = end - settled;
        }
        return untilStop(piece);
    }

    /** The rest when no more ids come: an unfinished character becomes a replacement. */
    public String close() {
        if (stopped) {
            return "";
        }
        String rest = untilStop(behind(decode(size), decode(settled)));
        rest += held;
        held = "";
        return rest;
    }

    /** What a text has behind as many characters as another has. */
    private static String behind(String text, String before) {
        int characters = before.codePointCount(0, before.length());
        if (characters >= text.codePointCount(0, text.length())) {
            return "";
        }
        return text.substring(text.offsetByCodePoints(0, characters));
    }

    /** How many ids of the window are in text that later ids leave as it is. */
    private int whole() {
        if (size - settled <= PATIENCE) {
            // One wrong byte makes a byte-fallback decoder give up all bytes in a row.
            return isByte(tokenizer.idToToken(ids[size - 1])) || broken(size) ? settled : size;
        }
        // A character has at most four bytes. Where the last four ids end none, they are not text.
        for (int end = size; end > size - BYTES; --end) {
            if (!broken(end)) {
                return end;
            }
        }
        return size - BYTES;
    }

    /** Whether a token stands for one byte, as <0x0A> does. */
    private static boolean isByte(String token) {
        return token != null
                && token.length() == 6
                && token.startsWith("<0x")
                && token.charAt(5) == '>'
                && isHex(token.charAt(3))
                && isHex(token.charAt(4));
    }

    private static boolean isHex(char c) {
        return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
    }

    private boolean broken(int end) {
        String text = decode(end);
        return !text.isEmpty() && text.charAt(text.length() - 1) == REPLACEMENT;
    }

    private String decode(int end) {
        return end == 0 ? "" : tokenizer.decode(ids, 0, end, true);
    }

    private String untilStop(String piece) {
        if (stop.isEmpty()) {
            return piece;
        }
        String text = held + piece;
        // Whichever is complete first, so that it does not matter how the text came in pieces.
        int end = Integer.MAX_VALUE;
        int start = 0;
        for (String one : stop) {
            int place = text.indexOf(one);
            int behind = place + one.length();
            if (place >= 0 && (behind < end || (behind == end && place < start))) {
                end = behind;
                start = place;
            }
        }
        if (end < Integer.MAX_VALUE) {
            stopped = true;
            held = "";
            return text.substring(0, start);
        }
        int hold = 0;
        for (String one : stop) {
            hold = Math.max(hold, overlap(text, one));
        }
        held = text.substring(text.length() - hold);
        return text.substring(0, text.length() - hold);
    }

    /** Length of the longest end of a text that begins a stop string. */
    private static int overlap(String text, String stop) {
        for (int length = Math.min(stop.length() - 1, text.length()); length > 0; --length) {
            if (text.regionMatches(text.length() - length, stop, 0, length)) {
                return length;
            }
        }
        return 0;
    }
}
