package satchel.cli;

import java.awt.color.ColorSpace;
import java.awt.image.BufferedImage;
import java.awt.image.ColorModel;
import java.awt.image.DataBuffer;
import java.awt.image.IndexColorModel;
import java.awt.image.Raster;
import satchel.SatchelException;

/** The pixels of a decoded image as 0xAARRGGBB, with the levels that its file has. For a JVM. */
final class Pixels {
    private static final int BITS = 8;

    private Pixels() {}

    /** Throws USAGE for gray of more than 8 bits, and for colours that are neither gray nor red, green and blue. */
    static int[] of(BufferedImage image, String name) {
        ColorModel model = image.getColorModel();
        int kind = model.getColorSpace().getType();
        int width = image.getWidth();
        int height = image.getHeight();
        boolean gray = kind == ColorSpace.TYPE_GRAY;
        boolean deep = model.getComponentSize(0) > BITS;
        if (model instanceof IndexColorModel || (kind == ColorSpace.TYPE_RGB && !deep)) {
            return image.getRGB(0, 0, width, height, null, 0, width);
        }
        boolean words = image.getRaster().getDataBuffer().getDataType() == DataBuffer.TYPE_USHORT;
        if (!gray && (kind != ColorSpace.TYPE_RGB || !words)) {
            throw SatchelException.usage("the image " + name + " has other colours than red, green and blue");
        }
        if (gray && deep && !model.hasAlpha()) {
            throw SatchelException.usage(
                    "the image " + name + " has more than 8 bits per channel; convert it to 8 bits");
        }
        return read(image.getRaster(), gray ? 1 : 3, model.hasAlpha(), deep ? BITS : 0);
    }

    /** The samples themselves: getRGB takes gray for linear light and makes it brighter. */
    private static int[] read(Raster raster, int colours, boolean alpha, int shift) {
        int width = raster.getWidth();
        int bands = raster.getNumBands();
        int[] argb = new int[width * raster.getHeight()];
        int[] row = new int[width * bands];
        for (int y = 0; y < raster.getHeight(); ++y) {
            raster.getPixels(raster.getMinX(), raster.getMinY() + y, width, 1, row);
            for (int x = 0; x < width; ++x) {
                int at = x * bands;
                int red = row[at] >> shift;
                int green = row[at + (colours == 1 ? 0 : 1)] >> shift;
                int blue = row[at + (colours == 1 ? 0 : 2)] >> shift;
                int opaque = alpha ? row[at + colours] >> shift : 255;
                argb[y * width + x] = opaque << 24 | red << 16 | green << 8 | blue;
            }
        }
        return argb;
    }
}
