package satchel.speech;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import satchel.SatchelException;

/**
 * A waveform becomes input_features, as the manifest's {@code audio} says: the log-mel spectrogram of Whisper
 * (Radford et al., 2022). Windows of {@code n_fft} samples every {@code hop_length}, their energies in {@code mels}
 * bands of Slaney's scale, log10 cut 8 decades below the loudest, then (x + 4) / 4. The model hears {@code seconds}
 * at once. Knows no model and no file.
 */
public final class AudioFormat {
    /** Of a band's energy, before the logarithm. */
    private static final double FLOOR = 1e-10;
    /** Decades below the loudest band that are kept apart. */
    private static final float RANGE = 8;
    private static final List<String> NAMES =
        Arrays.asList("hop_length", "mels", "n_fft", "sampling_rate", "seconds");

    public final int samplingRate;
    public final int mels;
    public final int size;
    public final int hopLength;
    public final int seconds;
    private final MelFilters filters;

    /** Reads the manifest's {@code audio}; BUNDLE says what is wrong with it. */
    public AudioFormat(Map<String, Object> raw) {
        List<String> names = Arrays.asList(new TreeSet<String>(raw.keySet()).toArray(new String[0]));
        if (!names.equals(NAMES)) {
            throw SatchelException.bundle(
                "manifest.json: audio has " + SatchelException.shown(names) + ", not " + NAMES);
        }
        samplingRate = number(raw, "sampling_rate", (int) (2 * MelFilters.HIGHEST_PITCH), 384000);
        mels = number(raw, "mels", 1, 512);
        size = number(raw, "n_fft", 16, 1 << 14);
        hopLength = number(raw, "hop_length", 1, 1 << 14);
        seconds = number(raw, "seconds", 1, 300);
        if (size % 2 != 0 || hopLength > size) {
            throw wrong("n_fft = " + size + "; expected an even number from hop_length");
        }
        filters = new MelFilters(mels, samplingRate, size);
        if (filters.hasEmpty()) {
            throw wrong("mels = " + mels + " are too many for n_fft = " + size + ": some would be empty");
        }
    }

    private static int number(Map<String, Object> raw, String name, int least, int largest) {
        Object value = raw.get(name);
        if (!(value instanceof Long) || (Long) value < least || (Long) value > largest) {
            throw wrong(name + " = " + SatchelException.shown(value) + "; expected " + least + ".." + largest);
        }
        return ((Long) value).intValue();
    }

    private static SatchelException wrong(String what) {
        return SatchelException.bundle("manifest.json: audio: " + what);
    }

    /** Samples of what the model hears at once. */
    public int windowSamples() {
        return seconds * samplingRate;
    }

    /** Frames of what the model hears at once. */
    public int windowFrames() {
        return windowSamples() / hopLength;
    }

    /**
     * The features of a mono waveform at {@link #samplingRate}. So many samples of {@code silence} follow, or as many
     * as fill {@link #windowSamples}. The loudest band is that of the whole waveform, also where it is longer than a
     * window. Throws OUT_OF_MEMORY.
     */
    public Features logMel(float[] samples, int silence) {
        long count = Math.max((long) samples.length + silence, windowSamples());
        int half = size / 2;
        long end = samples.length < count - half ? half + (long) samples.length : count + 2 * half;
        int frames = (int) (count / hopLength);
        int sounding = (int) Math.min(frames, (end + hopLength - 1) / hopLength);
        Features features = new Features(mels, frames);
        float least = (float) Math.log10(FLOOR);
        float loudest = frames > sounding ? least : Float.NEGATIVE_INFINITY;
        RealTransform transform = new RealTransform(size);
        double[] taper = taper();
        double[] frame = new double[size];
        double[] energies = new double[half + 1];
        for (int number = 0; number < sounding; ++number) {
            long first = (long) number * hopLength - half;
            if (first >= 0 && first + size <= samples.length) {
                for (int i = 0; i < size; ++i) {
                    frame[i] = samples[(int) first + i] * taper[i];
                }
            } else {
                for (int i = 0; i < size; ++i) {
                    frame[i] = sample(samples, first + i, count) * taper[i];
                }
            }
            // In double: what lies near the cut is 1e-8 of the loudest, too little for float.
            transform.energies(frame, energies);
            for (int band = 0; band < mels; ++band) {
                double energy = 0;
                double[] weights = filters.weights[band];
                for (int i = 0; i < weights.length; ++i) {
                    energy += energies[filters.starts[band] + i] * weights[i];
                }
                float value = (float) Math.log10(Math.max(energy, FLOOR));
                features.values[band * frames + number] = value;
                loudest = Math.max(loudest, value);
            }
        }
        float cut = loudest - RANGE;
        for (int band = 0; band < mels; ++band) {
            Arrays.fill(features.values, band * frames + sounding, (band + 1) * frames, least);
        }
        for (int i = 0; i < features.values.length; ++i) {
            features.values[i] = (Math.max(features.values[i], cut) + 4) / 4;
        }
        return features;
    }

    /** A sample of a waveform that silence fills up to {@code count}, mirrored at both ends. */
    private static float sample(float[] samples, long place, long count) {
        long mirrored = place < 0 ? -place : place >= count ? 2 * count - 2 - place : place;
        return mirrored < samples.length ? samples[(int) mirrored] : 0;
    }

    private double[] taper() {
        double[] taper = new double[size];
        for (int i = 0; i < size; ++i) {
            // As numpy's hanning of one more makes it, from the middle.
            taper[i] = 0.5 + 0.5 * Math.cos(Math.PI * (2 * i - size) / size);
        }
        return taper;
    }
}
