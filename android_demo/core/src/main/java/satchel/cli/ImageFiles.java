package satchel.cli;

import java.awt.image.BufferedImage;
import java.io.File;
import java.io.IOException;
import java.io.InputStream;
import java.util.ArrayList;
import java.util.List;
import javax.imageio.ImageIO;
import satchel.Picture;
import satchel.SatchelException;

/** Files of images as pictures, turned as their EXIF orientation says. For a JVM: Android decodes its own way. */
final class ImageFiles {
    private static final int LARGEST = 1 << 26; // bytes of a file

    private ImageFiles() {}

    static List<Picture> read(List<String> names) {
        List<Picture> pictures = new ArrayList<Picture>();
        for (String name : names) {
            pictures.add(read(new File(name)));
        }
        return pictures;
    }

    /** Raises USAGE for what is no file or not an image. */
    static Picture read(File file) {
        String name = SatchelException.shown(file);
        if (!file.isFile()) {
            throw SatchelException.usage(name + " is not a file");
        }
        if (file.length() > LARGEST) {
            throw SatchelException.usage(name + " has " + file.length() + " bytes; at most " + LARGEST + " are read");
        }
        BufferedImage image;
        int orientation;
        try {
            image = ImageIO.read(file);
            orientation = orientation(file);
        } catch (IOException error) {
            throw unreadable(name, error.getMessage());
        } catch (RuntimeException error) { // decoders raise whatever they like on a damaged file
            throw unreadable(name, error.getMessage());
        }
        if (image == null) {
            throw unreadable(name, "it is no image that this Java knows");
        }
        int width = image.getWidth();
        int height = image.getHeight();
        return turned(Pixels.of(image, name), width, height, orientation);
    }

    private static SatchelException unreadable(String name, String why) {
        return SatchelException.usage("cannot read " + name + ": " + why);
    }

    /** Of a picture that lies as one of the eight orientations of EXIF says, the one that stands. */
    static Picture turned(int[] argb, int width, int height, int orientation) {
        if (orientation < 2 || orientation > 8) {
            return new Picture(argb, width, height);
        }
        boolean swapped = orientation >= 5;
        int newWidth = swapped ? height : width;
        int newHeight = swapped ? width : height;
        int[] turned = new int[argb.length];
        for (int y = 0; y < newHeight; ++y) {
            for (int x = 0; x < newWidth; ++x) {
                int column = swapped ? y : x;
                int row = swapped ? x : y;
                boolean fromRight = orientation == 2 || orientation == 3 || orientation == 7 || orientation == 8;
                boolean fromBelow = orientation == 3 || orientation == 4 || orientation == 6 || orientation == 7;
                column = fromRight ? width - 1 - column : column;
                row = fromBelow ? height - 1 - row : row;
                turned[y * newWidth + x] = argb[row * width + column];
            }
        }
        return new Picture(turned, newWidth, newHeight);
    }

    /** What the EXIF block of a JPEG file says of how it lies: 1 where it says nothing. */
    private static int orientation(File file) throws IOException {
        byte[] data = new byte[(int) file.length()];
        InputStream source = Lines.opened(file);
        try {
            int size = 0;
            for (int read = 0; read >= 0 && size < data.length; size += Math.max(0, read)) {
                read = source.read(data, size, data.length - size);
            }
        } finally {
            source.close();
        }
        return orientation(data);
    }

    static int orientation(byte[] data) {
        if (number(data, 0, 2, true) != 0xffd8) {
            return 1;
        }
        int at = 2;
        while (at + 4 <= data.length && (data[at] & 0xff) == 0xff) {
            int marker = data[at + 1] & 0xff;
            if (marker == 0xda || marker == 0xd9) {
                break;
            }
            int size = number(data, at + 2, 2, true);
            boolean exif = marker == 0xe1
                    && number(data, at + 4, 4, true) == 0x45786966
                    && number(data, at + 8, 2, true) == 0;
            if (exif) {
                return inExif(data, at + 10);
            }
            at += 2 + Math.max(2, size);
        }
        return 1;
    }

    private static int inExif(byte[] data, int start) {
        boolean big = number(data, start, 2, true) == 0x4d4d;
        int table = start + number(data, start + 4, 4, big);
        int count = number(data, table, 2, big);
        for (int i = 0; i < count; ++i) {
            int entry = table + 2 + 12 * i;
            if (number(data, entry, 2, big) == 0x112) {
                return number(data, entry + 8, 2, big);
            }
        }
        return 1;
    }

    /** A number of some bytes, 0 beyond the end. */
    private static int number(byte[] data, int at, int size, boolean big) {
        if (at < 0 || at + size > data.length) {
            return 0;
        }
        int number = 0;
        for (int i = 0; i < size; ++i) {
            number = number << 8 | data[big ? at + i : at + size - 1 - i] & 0xff;
        }
        return number;
    }
}
