package satchel;

/**
 * A decoded picture of 8 bits per channel. Where it comes from is the caller's: {@code BufferedImage.getRGB} on the
 * JVM and {@code Bitmap.getPixels} on Android give what it is made of. It is taken as it is, already turned as a
 * file's EXIF may say.
 */
public final class Picture {
    private static final int CHANNELS = 3;

    public final int width;
    public final int height;
    /** Packed 0xAARRGGBB, row by row, not multiplied by alpha. */
    public final int[] argb;

    /** The pixels are not copied. Throws USAGE where there are none, or not width * height. */
    public Picture(int[] argb, int width, int height) {
        if (width < 1 || height < 1) {
            throw SatchelException.usage("the image is empty: " + width + " x " + height + " pixels");
        }
        if (argb.length != (long) width * height) {
            throw SatchelException.usage("the image has " + argb.length + " pixels, not " + width + " x " + height);
        }
        this.argb = argb;
        this.width = width;
        this.height = height;
    }

    /** Of bytes [height, width, 3]: red, green, blue. */
    public static Picture ofRgb(byte[] rgb, int width, int height) {
        if (width < 1 || height < 1 || rgb.length != (long) width * height * CHANNELS) {
            throw SatchelException.usage(
                "the image has " + rgb.length + " bytes, not " + width + " x " + height + " x " + CHANNELS);
        }
        int[] argb = new int[width * height];
        for (int i = 0; i < argb.length; ++i) {
            int at = i * CHANNELS;
            argb[i] = 0xff << 24 | (rgb[at] & 0xff) << 16 | (rgb[at + 1] & 0xff) << 8 | rgb[at + 2] & 0xff;
        }
        return new Picture(argb, width, height);
    }
}
