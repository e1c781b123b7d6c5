package satchel.cli;

import java.io.ByteArrayOutputStream;
import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;

/**
 * The words that a program was started with, as UTF-8. A JVM reads them in the charset of the locale, and where that
 * is plain ASCII every other letter is lost; Linux still has the bytes.
 */
final class CommandLine {
    private static final File BYTES = new File("/proc/self/cmdline");

    private CommandLine() {}

    static String[] words(String[] arguments) {
        boolean plain = true;
        for (String argument : arguments) {
            for (int i = 0; i < argument.length(); ++i) {
                plain &= argument.charAt(i) < 128;
            }
        }
        if (plain) {
            return arguments;
        }
        List<byte[]> all = all();
        int before = all.size() - arguments.length;
        if (before < 1) {
            return arguments;
        }
        String[] words = new String[arguments.length];
        for (int i = 0; i < words.length; ++i) {
            words[i] = decoded(all.get(before + i));
        }
        return words;
    }

    private static List<byte[]> all() {
        List<byte[]> words = new ArrayList<byte[]>();
        try {
            InputStream source = new FileInputStream(BYTES);
            try {
                ByteArrayOutputStream word = new ByteArrayOutputStream();
                byte[] piece = new byte[1 << 16];
                for (int read = source.read(piece); read > 0; read = source.read(piece)) {
                    for (int i = 0; i < read; ++i) {
                        if (piece[i] == 0) {
                            words.add(word.toByteArray());
                            word.reset();
                        } else {
                            word.write(piece[i]);
                        }
                    }
                }
            } finally {
                source.close();
            }
        } catch (IOException error) {
            words.clear(); // another system: its own reading holds
        }
        return words;
    }

    /** UTF-8; a byte that is none becomes half a surrogate pair, which no text holds, as in Python. */
    static String decoded(byte[] bytes) {
        StringBuilder out = new StringBuilder();
        int at = 0;
        while (at < bytes.length) {
            int size = length(bytes, at);
            if (size == 0) {
                out.append((char) (0xdc00 + (bytes[at] & 0xff)));
                ++at;
            } else {
                out.append(new String(bytes, at, size, Console.UTF_8));
                at += size;
            }
        }
        return out.toString();
    }

    /** How many bytes the letter at a place has, 0 where there is none. */
    private static int length(byte[] bytes, int at) {
        int first = bytes[at] & 0xff;
        if (first < 0x80) {
            return 1;
        }
        int size = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : 2;
        if (first < 0xc2 || first > 0xf4 || at + size > bytes.length) {
            return 0;
        }
        int second = bytes[at + 1] & 0xff;
        int low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
        int high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
        if (second < low || second > high) {
            return 0;
        }
        for (int i = 2; i < size; ++i) {
            if ((bytes[at + i] & 0xc0) != 0x80) {
                return 0;
            }
        }
        return size;
    }
}
