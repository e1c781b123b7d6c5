package satchel.speech;

import satchel.SatchelException;

/** A log-mel spectrogram: float32 [mels, frames], band by band. */
public final class Features {
    public final int mels;
    public final int frames;
    public final float[] values;

    Features(int mels, int frames) {
        this.mels = mels;
        this.frames = frames;
        try {
            this.values = new float[Math.multiplyExact(mels, frames)];
        } catch (ArithmeticException error) {
            throw tooLong();
        } catch (OutOfMemoryError error) {
            throw tooLong();
        }
    }

    private static SatchelException tooLong() {
        return SatchelException.limit("no memory for the features of so long a sound: split it", "OUT_OF_MEMORY");
    }

    /** {@code count} frames from the {@code start}th on, [mels, count]. */
    public float[] window(int start, int count) {
        float[] window = new float[mels * count];
        for (int band = 0; band < mels; ++band) {
            System.arraycopy(values, band * frames + start, window, band * count, count);
        }
        return window;
    }
}
