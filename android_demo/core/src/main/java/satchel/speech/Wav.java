package satchel.speech;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.Charset;
import java.util.Arrays;
import satchel.SatchelException;

/**
 * A WAV file of whole numbers (8, 16, 24 or 32 bits), floats (32 or 64) or the bytes of telephones, read from its
 * beginning to its end.
 */
final class Wav {
    private static final Charset LATIN = Charset.forName("ISO-8859-1");
    /** A longer one was written to a pipe, before anybody knew its length. */
    private static final long OPEN_END = 0x7FFF0000L;
    private static final int PCM = 1;
    private static final int FLOAT = 3;
    private static final int A_LAW = 6;
    private static final int MU_LAW = 7;
    private static final int EXTENSIBLE = 0xFFFE;
    private static final int MOST_CHANNELS = 1024;
    /** What follows the kind in an extensible header. */
    private static final byte[] GUID =
            {0, 0, 0, 0, 0x10, 0, (byte) 0x80, 0, 0, (byte) 0xAA, 0, 0x38, (byte) 0x9B, 0x71};

    final int channels;
    final int rate;
    final long frames;
    private final InputStream in;
    private final String name;
    private final int kind;
    private final int width; // bytes of a sample
    private long left; // frames
    private byte[] bytes = new byte[0];

    /** Reads the header of a file of {@code length} bytes. Throws USAGE for another format. */
    Wav(InputStream in, long length, String name) throws IOException {
        this.in = in;
        this.name = name;
        byte[] start = new byte[12];
        if (fill(start, 12) < 12 || !text(start, 0).equals("RIFF") || !text(start, 8).equals("WAVE")) {
            throw SatchelException.usage(
                    "cannot read " + name + ": damaged, or no WAV file; this runtime reads no other");
        }
        long place = 12;
        byte[] header = new byte[8];
        byte[] format = null;
        long size;
        while (true) {
            if (fill(header, 8) < 8) {
                throw damaged();
            }
            place += 8;
            size = little(header, 4, 4);
            if (text(header, 0).equals("data")) {
                break;
            }
            if (text(header, 0).equals("fmt ")) {
                format = new byte[(int) Math.min(size, 40)];
                if (fill(format, format.length) < format.length) {
                    throw damaged();
                }
                skip(size + size % 2 - format.length);
            } else {
                skip(size + size % 2);
            }
            place += size + size % 2;
        }
        if (format == null || format.length < 16) {
            throw damaged();
        }
        channels = (int) little(format, 2, 2);
        rate = (int) Math.min(Integer.MAX_VALUE, little(format, 4, 4));
        width = (int) little(format, 14, 2) / 8;
        kind = kind(format);
        boolean known = kind == PCM && width >= 1 && width <= 4 || kind == FLOAT && (width == 4 || width == 8)
                || (kind == A_LAW || kind == MU_LAW) && width == 1;
        if (!known) {
            throw SatchelException.usage("cannot read " + name + ": its samples are of kind " + kind + " with "
                    + little(format, 14, 2) + " bits;"
                    + " known: whole numbers of 8 to 32, floats of 32 or 64, A-law and mu-law");
        }
        if (channels < 1 || channels > MOST_CHANNELS) {
            throw damaged();
        }
        long there = Math.max(0, length - place);
        if (size < OPEN_END && size > there) {
            throw SatchelException.usage(
                    name + " is cut short: " + (size - there) + " bytes of its samples are missing");
        }
        frames = Math.min(size, there) / (channels * width);
        left = frames;
    }

    private static int kind(byte[] format) {
        int kind = (int) little(format, 0, 2);
        boolean named = kind == EXTENSIBLE && format.length >= 40
                && Arrays.equals(Arrays.copyOfRange(format, 26, 40), GUID);
        return named ? (int) little(format, 24, 2) : kind;
    }

    private SatchelException damaged() {
        return SatchelException.usage("cannot read " + name + ": damaged");
    }

    private static String text(byte[] bytes, int from) {
        return new String(bytes, from, 4, LATIN);
    }

    private static long little(byte[] bytes, int from, int count) {
        long value = 0;
        for (int i = count - 1; i >= 0; --i) {
            value = value << 8 | bytes[from + i] & 0xff;
        }
        return value;
    }

    private int fill(byte[] into, int count) throws IOException {
        int done = 0;
        while (done < count) {
            int more = in.read(into, done, count - done);
            if (more < 0) {
                break;
            }
            done += more;
        }
        return done;
    }

    private void skip(long count) throws IOException {
        byte[] over = new byte[(int) Math.min(count, 1 << 16)];
        for (long rest = count; rest > 0; ) {
            int more = in.read(over, 0, (int) Math.min(rest, over.length));
            if (more < 0) {
                throw damaged();
            }
            rest -= more;
        }
    }

    /** The mean of the channels of the next frames; how many there were, 0 at the end. */
    int read(float[] block) throws IOException {
        int count = (int) Math.min(block.length, left);
        int size = count * channels * width;
        if (bytes.length < size) {
            bytes = new byte[size];
        }
        if (fill(bytes, size) < size) {
            throw SatchelException.usage(name + " is cut short: " + left + " of its samples are missing");
        }
        ByteBuffer samples = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN);
        for (int i = 0; i < count; ++i) {
            float sum = 0;
            for (int channel = 0; channel < channels; ++channel) {
                sum += sample(samples, (i * channels + channel) * width);
            }
            block[i] = sum / channels;
        }
        left -= count;
        return count;
    }

    private float sample(ByteBuffer samples, int at) {
        if (kind == FLOAT) {
            return width == 4 ? samples.getFloat(at) : (float) samples.getDouble(at);
        }
        if (kind != PCM) {
            return kind == A_LAW ? Telephone.a(samples.get(at)) : Telephone.mu(samples.get(at));
        }
        switch (width) {
            case 1:
                return ((samples.get(at) & 0xff) - 128) / 128f;
            case 2:
                return samples.getShort(at) / 32768f;
            case 3:
                return (samples.getShort(at + 1) << 8 | samples.get(at) & 0xff) / 8388608f;
            default:
                return samples.getInt(at) / 2147483648f;
        }
    }
}
