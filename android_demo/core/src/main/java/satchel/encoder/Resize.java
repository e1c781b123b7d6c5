package satchel.encoder;

/**
 * Pictures of other sizes, to the last bit as Pillow 13 makes them: weights are rounded to whole numbers, first rows
 * are resized and rounded to 8 bits, then columns; or columns first where the height shrinks by far more than the
 * width (older ones always begin with rows). Pictures are bytes [height, width, 3].
 */
final class Resize {
    private static final int CHANNELS = 3;
    private static final int BITS = 32 - 8 - 2; // behind the point of a weight

    private Resize() {
    }

    static byte[] resized(byte[] picture, int height, int width, int toHeight, int toWidth, Filter filter) {
        if (height == toHeight && width == toWidth) {
            return picture;
        }
        if (filter == Filter.NEAREST) {
            return nearest(picture, height, width, toHeight, toWidth);
        }
        if (toHeight < height && height - toHeight > 2 * (width - toWidth)) { // which saves work
            byte[] columns = down(picture, height, width, toHeight, filter);
            return width == toWidth ? columns : across(columns, toHeight, width, toWidth, filter);
        }
        byte[] rows = width == toWidth ? picture : across(picture, height, width, toWidth, filter);
        return height == toHeight ? rows : down(rows, height, toWidth, toHeight, filter);
    }

    private static byte[] nearest(byte[] picture, int height, int width, int toHeight, int toWidth) {
        int[] columns = places(width, toWidth);
        int[] rows = places(height, toHeight);
        byte[] out = new byte[toHeight * toWidth * CHANNELS];
        int at = 0;
        for (int row : rows) {
            for (int column : columns) {
                System.arraycopy(picture, (row * width + column) * CHANNELS, out, at, CHANNELS);
                at += CHANNELS;
            }
        }
        return out;
    }

    private static int[] places(int size, int wanted) {
        double step = (double) size / wanted;
        double middle = step * 0.5;
        int[] places = new int[wanted];
        for (int i = 0; i < wanted; ++i) {
            places[i] = Math.min((int) middle, size - 1);
            middle += step; // added up, as Pillow does, which now and then decides
        }
        return places;
    }

    private static byte[] across(byte[] picture, int height, int width, int toWidth, Filter filter) {
        Weights weights = new Weights(width, toWidth, filter);
        byte[] out = new byte[height * toWidth * CHANNELS];
        for (int row = 0; row < height; ++row) {
            for (int x = 0; x < toWidth; ++x) {
                int from = (row * width + weights.starts[x]) * CHANNELS;
                mix(picture, from, CHANNELS, weights.of[x], out, (row * toWidth + x) * CHANNELS);
            }
        }
        return out;
    }

    private static byte[] down(byte[] picture, int height, int width, int toHeight, Filter filter) {
        Weights weights = new Weights(height, toHeight, filter);
        byte[] out = new byte[toHeight * width * CHANNELS];
        int stride = width * CHANNELS;
        for (int y = 0; y < toHeight; ++y) {
            for (int x = 0; x < stride; x += CHANNELS) {
                mix(picture, weights.starts[y] * stride + x, stride, weights.of[y], out, y * stride + x);
            }
        }
        return out;
    }

    /** One pixel of as many as there are weights, which lie {@code step} bytes apart. */
    private static void mix(byte[] picture, int from, int step, int[] weights, byte[] out, int to) {
        int red = 1 << (BITS - 1);
        int green = red;
        int blue = red;
        int at = from;
        for (int weight : weights) {
            red += (picture[at] & 0xff) * weight;
            green += (picture[at + 1] & 0xff) * weight;
            blue += (picture[at + 2] & 0xff) * weight;
            at += step;
        }
        out[to] = clipped(red >> BITS);
        out[to + 1] = clipped(green >> BITS);
        out[to + 2] = clipped(blue >> BITS);
    }

    private static byte clipped(int value) {
        return (byte) Math.max(0, Math.min(255, value));
    }

    /** For every new pixel of an axis, where the old ones begin that make it, and their weights. */
    private static final class Weights {
        final int[] starts;
        final int[][] of;

        Weights(int size, int wanted, Filter filter) {
            starts = new int[wanted];
            of = new int[wanted][];
            double scale = (double) size / wanted;
            double coarse = Math.max(scale, 1);
            double support = filter.support * coarse;
            double fine = 1 / coarse;
            for (int place = 0; place < wanted; ++place) {
                double middle = (place + 0.5) * scale;
                int start = Math.max(0, (int) (middle - support + 0.5));
                int end = Math.min(size, (int) (middle + support + 0.5));
                double[] exact = new double[end - start];
                double sum = 0;
                for (int i = 0; i < exact.length; ++i) {
                    exact[i] = filter.weight((i + start - middle + 0.5) * fine);
                    sum += exact[i];
                }
                starts[place] = start;
                of[place] = rounded(exact, sum);
            }
        }

        private static int[] rounded(double[] exact, double sum) {
            int[] weights = new int[exact.length];
            for (int i = 0; i < weights.length; ++i) {
                double weight = (sum == 0 ? exact[i] : exact[i] / sum) * (1 << BITS);
                weights[i] = (int) (weight + (weight < 0 ? -0.5 : 0.5));
            }
            return weights;
        }
    }
}
