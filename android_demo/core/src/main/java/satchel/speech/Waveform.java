package satchel.speech;

import java.io.ByteArrayInputStream;
import java.io.File;
import java.io.FileInputStream;
import java.io.IOException;
import java.io.InputStream;
import java.math.BigDecimal;
import java.math.MathContext;
import satchel.SatchelException;

/** Sound becomes a mono waveform at the rate a model wants: the mean of all channels. Knows no model. */
public final class Waveform {
    private static final int LEAST_RATE = 1000;
    private static final int LARGEST_RATE = 768000;
    private static final int MOST_HOURS = 12;
    /** Samples lie between -1 and 1; a little above is only too loud. */
    private static final float LOUDEST = 100;
    private static final int DIGITS = 4; // in an error
    private static final int BLOCK = 1 << 16; // samples read at once, over all channels

    private Waveform() {}

    /**
     * float32 samples at {@code rate} per second, of samples between -1 and 1 at {@code sampleRate}; never the array
     * that was given. Throws USAGE for no sound, and for samples that are not finite.
     */
    public static float[] of(float[] samples, int sampleRate, int rate) {
        check(samples, samples.length, "the array");
        checkRate(sampleRate, "the array");
        Samples out = new Samples((long) ((double) samples.length * rate / sampleRate) + 1);
        feed(samples, samples.length, sampleRate == rate ? null : new Resampler(sampleRate, rate, out), out, true);
        return out.all();
    }

    /** The same of a WAV file of whole numbers or floats. Throws USAGE also for one cut short. */
    public static float[] read(File file, int rate) {
        String name = SatchelException.shown(file.getPath());
        if (!file.isFile()) {
            throw SatchelException.usage(name + " is not a file");
        }
        try {
            InputStream in = new FileInputStream(file);
            try {
                return read(in, file.length(), name, rate);
            } finally {
                in.close();
            }
        } catch (IOException error) {
            throw SatchelException.usage("cannot read " + name + ": " + error.getMessage());
        }
    }

    /** The same of the bytes of such a file. */
    public static float[] read(byte[] file, int rate) {
        try {
            return read(new ByteArrayInputStream(file), file.length, "the sound", rate);
        } catch (IOException error) {
            throw new IllegalStateException(error);
        }
    }

    /** Decodes and resamples block by block, so that only the result lies in memory whole. */
    private static float[] read(InputStream in, long length, String name, int rate) throws IOException {
        Wav wav = new Wav(in, length, name);
        checkRate(wav.rate, name);
        if (wav.frames > MOST_HOURS * 3600L * wav.rate) {
            throw SatchelException.limit(name + " is longer than " + MOST_HOURS + " hours: split it", "LIMIT");
        }
        Samples out = new Samples((long) ((double) wav.frames * rate / wav.rate) + 1);
        Resampler resampler = wav.rate == rate ? null : new Resampler(wav.rate, rate, out);
        float[] block = new float[Math.max(1, BLOCK / wav.channels)];
        for (int count = wav.read(block); count > 0; count = wav.read(block)) {
            check(block, count, name);
            feed(block, count, resampler, out, false);
        }
        feed(block, 0, resampler, out, true);
        return out.all();
    }

    private static void feed(float[] block, int count, Resampler resampler, Samples out, boolean last) {
        if (resampler == null) {
            out.add(block, count);
            return;
        }
        resampler.add(block, count);
        if (last) {
            resampler.finish();
        }
    }

    private static void check(float[] samples, int count, String name) {
        float loudest = 0;
        for (int i = 0; i < count; ++i) {
            float size = Math.abs(samples[i]);
            if (!(size <= Float.MAX_VALUE)) {
                throw SatchelException.usage(name + " has a sample that is not a number");
            }
            loudest = Math.max(loudest, size);
        }
        if (loudest > LOUDEST) {
            String most = new BigDecimal(loudest).round(new MathContext(DIGITS)).toPlainString();
            throw SatchelException.usage(
                    name + " has samples up to " + most + "; expected -1 to 1: divide 16-bit ones by 32768");
        }
    }

    private static void checkRate(int rate, String name) {
        if (rate < LEAST_RATE || rate > LARGEST_RATE) {
            throw SatchelException.usage(name + " has " + rate + " samples per second; expected "
                + LEAST_RATE + ".." + LARGEST_RATE);
        }
    }
}
