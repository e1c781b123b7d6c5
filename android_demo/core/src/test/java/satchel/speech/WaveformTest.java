package satchel.speech;

import static org.junit.Assert.assertArrayEquals;
import static org.junit.Assert.assertEquals;
import static org.junit.Assert.assertTrue;

import java.io.File;
import java.io.FileOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import org.junit.Rule;
import org.junit.Test;
import org.junit.rules.TemporaryFolder;
import satchel.SatchelException;

/** WAV files and arrays of samples. */
public class WaveformTest {
    private static final int RATE = 16000;

    @Rule
    public TemporaryFolder folder = new TemporaryFolder();

    @Test
    public void everyWidthIsRead() {
        assertArrayEquals(new float[] {-1, 0, 0.5f}, read(1, 1, 8, 0, 128, 192), 0);
        assertArrayEquals(new float[] {-1, 0.5f}, read(1, 1, 16, 0, 0x80, 0, 0x40), 0);
        assertArrayEquals(new float[] {-1, 0.5f}, read(1, 1, 24, 0, 0, 0x80, 0, 0, 0x40), 0);
        assertArrayEquals(new float[] {-1, 0.5f}, read(1, 1, 32, 0, 0, 0, 0x80, 0, 0, 0, 0x40), 0);
        assertArrayEquals(new float[] {1.5f}, read(3, 1, 32, 0, 0, 0xc0, 0x3f), 0);
        assertArrayEquals(new float[] {-2}, read(3, 1, 64, 0, 0, 0, 0, 0, 0, 0, 0xc0), 0);
        assertArrayEquals(new float[] {-32124 / 32768f, 0, 32124 / 32768f}, read(7, 1, 8, 0, 0xff, 0x80), 0);
        assertArrayEquals(new float[] {-5504 / 32768f, 8 / 32768f, 5504 / 32768f}, read(6, 1, 8, 0, 0xd5, 0x80), 0);
        assertArrayEquals(new float[] {-0.25f}, read(1, 2, 16, 0, 0x80, 0, 0x40), 0); // the mean of both channels
    }

    private static float[] read(int kind, int channels, int bits, int... data) {
        return Waveform.read(file(kind, channels, RATE, bits, data.length, data), RATE);
    }

    private static byte[] file(int kind, int channels, int rate, int bits, long promised, int... data) {
        ByteBuffer out = ByteBuffer.allocate(56 + data.length).order(ByteOrder.LITTLE_ENDIAN);
        out.put(bytes("RIFF")).putInt(48 + data.length).put(bytes("WAVE"));
        out.put(bytes("LIST")).putInt(3).put(bytes("abc\0")); // filled up to an even length
        out.put(bytes("fmt ")).putInt(16).putShort((short) kind).putShort((short) channels).putInt(rate);
        out.putInt(rate * channels * bits / 8).putShort((short) (channels * bits / 8)).putShort((short) bits);
        out.put(bytes("data")).putInt((int) promised);
        for (int one : data) {
            out.put((byte) one);
        }
        return out.array();
    }

    private static byte[] bytes(String text) {
        byte[] bytes = new byte[text.length()];
        for (int i = 0; i < bytes.length; ++i) {
            bytes[i] = (byte) text.charAt(i);
        }
        return bytes;
    }

    @Test
    public void aFileIsReadAsItsBytesAre() throws IOException {
        byte[] bytes = file(1, 1, RATE, 16, 0xffffffffL, 1, 2, 3, 4); // written to a pipe
        File file = folder.newFile("a.wav");
        FileOutputStream out = new FileOutputStream(file);
        out.write(bytes);
        out.close();
        assertArrayEquals(Waveform.read(bytes, RATE), Waveform.read(file, RATE), 0);
        assertEquals(2, Waveform.read(file, RATE).length);
    }

    @Test
    public void whatIsNoSoundIsRefused() {
        refuse("cut short: 3 bytes", file(1, 1, RATE, 16, 5, 1, 2));
        refuse("no samples", file(1, 1, RATE, 16, 0));
        refuse("kind 17 with 8 bits", file(17, 1, RATE, 8, 1, 1));
        refuse("100 samples per second", file(1, 1, 100, 16, 2, 1, 2));
        refuse("not a number", file(3, 1, RATE, 32, 4, 0, 0, 0xc0, 0x7f));
        refuse("samples up to 1000;", file(3, 1, RATE, 32, 4, 0, 0, 0x7a, 0x44));
        refuse("no WAV file", bytes("fLaC and more of it"));
        refuse("no WAV file", new byte[0]);
        refuse("damaged", bytes("RIFF____WAVEfmt "));
    }

    private static void refuse(String words, byte[] file) {
        try {
            Waveform.read(file, RATE);
        } catch (SatchelException error) {
            assertEquals("USAGE", error.code);
            assertTrue(error.getMessage(), error.getMessage().contains(words));
            return;
        }
        throw new AssertionError(words);
    }

    @Test
    public void theCallerKeepsHisSamples() {
        float[] samples = {0.5f, -0.5f};
        float[] found = Waveform.of(samples, RATE, RATE);
        assertArrayEquals(samples, found, 0);
        found[0] = 9;
        assertEquals(0.5f, samples[0], 0);
    }

    @Test
    public void aToneIsTheSameAtAnotherRate() {
        for (int rate : new int[] {8000, 11025, 24000, 44100, 48000}) {
            float[] found = Waveform.of(tone(440, rate), rate, RATE);
            float[] wanted = tone(440, RATE);
            assertEquals(RATE, found.length);
            for (int i = 1000; i < RATE - 1000; ++i) {
                assertEquals(wanted[i], found[i], 2e-6f);
            }
        }
    }

    @Test
    public void whatTheLowerRateCannotHoldIsLeftOut() {
        float[] found = Waveform.of(tone(10000, 48000), 48000, RATE);
        for (int i = 1000; i < RATE - 1000; ++i) {
            assertEquals(0, found[i], 2e-6f);
        }
    }

    /** A second of it. */
    private static float[] tone(int pitch, int rate) {
        float[] samples = new float[rate];
        for (int i = 0; i < rate; ++i) {
            samples[i] = (float) (0.5 * Math.sin(2 * Math.PI * pitch * i / rate));
        }
        return samples;
    }
}
