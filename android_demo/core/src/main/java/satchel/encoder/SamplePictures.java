package satchel.encoder;

import satchel.Picture;

/** Smooth random pictures, the same every time and those of Python's: what checks are made with. */
public final class SamplePictures {
    private static final int COARSE = 16; // pixels of one colour, in either direction

    private SamplePictures() {}

    /** The first {@code count} pictures of a size. */
    public static Picture[] of(int height, int width, int count) {
        SampleNumbers random = new SampleNumbers();
        Picture[] pictures = new Picture[count];
        int rows = height / COARSE + 1;
        int columns = width / COARSE + 1;
        for (int number = 0; number < count; ++number) {
            int[] coarse = random.bytes(ImageFormat.CHANNELS * rows * columns);
            int[] argb = new int[height * width];
            for (int y = 0; y < height; ++y) {
                for (int x = 0; x < width; ++x) {
                    int at = y / COARSE * columns + x / COARSE;
                    int plane = rows * columns;
                    argb[y * width + x] =
                        0xff << 24 | coarse[at] << 16 | coarse[at + plane] << 8 | coarse[at + 2 * plane];
                }
            }
            pictures[number] = new Picture(argb, width, height);
        }
        return pictures;
    }
}
