package satchel.speech;

import satchel.encoder.SampleNumbers;

/** Windows of tones that swell, fade and glide under noise, the same every time: what checks hear. */
public final class SampleSounds {
    private static final int TONES = 4;

    private SampleSounds() {}

    /** The first {@code count} of them. */
    public static float[][] of(AudioFormat form, int count) {
        SampleNumbers random = new SampleNumbers();
        float[][] sounds = new float[count][];
        for (int number = 0; number < count; ++number) {
            sounds[number] = sound(form, random);
        }
        return sounds;
    }

    private static float[] sound(AudioFormat form, SampleNumbers random) {
        double[] sound = new double[form.windowSamples()];
        for (int i = 0; i < sound.length; ++i) {
            sound[i] = 0.01 * random.normal();
        }
        double[] pitches = new double[TONES];
        for (int tone = 0; tone < TONES; ++tone) {
            pitches[tone] = random.uniform(100, 3000);
        }
        for (double pitch : pitches) {
            double swell = random.uniform(0.2, 3);
            double glide = random.uniform(0.2, 3);
            for (int i = 0; i < sound.length; ++i) {
                double time = (double) i / form.samplingRate;
                double loudness = 0.15 * Math.max(0, Math.sin(2 * Math.PI * swell * time));
                sound[i] += loudness * Math.sin(2 * Math.PI * pitch * time + 20 * Math.sin(glide * time));
            }
        }
        float[] samples = new float[sound.length];
        for (int i = 0; i < samples.length; ++i) {
            samples[i] = (float) sound[i];
        }
        return samples;
    }
}
