package satchel;

import java.io.File;
import satchel.speech.Waveform;

/** A sound that a speech model is to hear. */
public abstract class Sound {
    Sound() {}

    /** Mono samples at the rate that a model wants. */
    abstract float[] samples(int rate);

    /** Samples of one channel between -1 and 1, and how many there are in a second. They are not copied. */
    public static Sound of(final float[] samples, final int sampleRate) {
        return new Sound() {
            @Override
            float[] samples(int rate) {
                return Waveform.of(samples, sampleRate, rate);
            }
        };
    }

    /** A WAV file of whole numbers, floats or the bytes of telephones, of any rate and number of channels. */
    public static Sound of(final File wav) {
        return new Sound() {
            @Override
            float[] samples(int rate) {
                return Waveform.read(wav, rate);
            }
        };
    }

    /** The bytes of such a file. */
    public static Sound of(final byte[] wav) {
        return new Sound() {
            @Override
            float[] samples(int rate) {
                return Waveform.read(wav, rate);
            }
        };
    }
}
