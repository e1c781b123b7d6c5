package satchel.speech;

/** Samples of telephones (ITU-T G.711): a sign, a power of two and a step within it, as one byte. */
final class Telephone {
    private static final float FULL = 32768;
    private static final int BIAS = 0x84;

    private Telephone() {}

    /** Of North America and Japan. */
    static float mu(byte coded) {
        int bits = ~coded & 0xff;
        int size = (((bits & 0x0f) << 3) + BIAS << (bits >> 4 & 7)) - BIAS;
        return (bits & 0x80) != 0 ? -size / FULL : size / FULL;
    }

    /** Of the others. */
    static float a(byte coded) {
        int bits = coded & 0xff ^ 0x55;
        int power = bits >> 4 & 7;
        int size = ((bits & 0x0f) << 4) + 8;
        size = power == 0 ? size : size + 0x100 << power - 1;
        return (bits & 0x80) != 0 ? size / FULL : -size / FULL;
    }
}
