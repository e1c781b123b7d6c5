package satchel.encoder;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import satchel.Picture;
import satchel.SatchelException;

/**
 * A picture becomes pixel_values, as the manifest's {@code image} says: RGB, resize, crop, then (value * rescale -
 * mean) / std. Of what is larger than {@code size} after the resize the center is taken; what is smaller is padded
 * with zeros. Knows no model.
 */
public final class ImageFormat {
    static final int CHANNELS = 3;
    /** Of a resized image, before it is cropped. */
    private static final int MOST_PIXELS = 1 << 26;
    /** Of what a graph takes. */
    private static final int LARGEST_SIDE = 4096;
    /** In a normalisation that makes sense. */
    private static final double LARGEST_NUMBER = 1e6;
    private static final List<String> NAMES = Arrays.asList(
        "longest_edge", "mean", "resample", "rescale", "resize", "shortest_edge", "size", "std");

    /** [height, width] that come out. */
    public final int height;
    public final int width;
    private final int[] resize; // to this [height, width], or null
    private final Integer shortestEdge; // or to this shorter side; with neither there is no resize
    private final Integer longestEdge; // or less where the longer side would be above this
    private final Filter filter;
    private final float[][] tables; // a value per channel and level

    /** Reads the manifest's {@code image}; BUNDLE says what is wrong with it. */
    public ImageFormat(Map<String, Object> raw) {
        List<String> names = new ArrayList<String>(raw.keySet());
        if (!names.contains("longest_edge")) {
            names.add("longest_edge"); // older bundles do not say it
        }
        Collections.sort(names);
        if (!names.equals(NAMES)) {
            throw SatchelException.bundle(
                "manifest.json: image has " + SatchelException.shown(raw.keySet()) + ", not " + NAMES);
        }
        check(raw, "size", isSize(raw.get("size")));
        check(raw, "resize", raw.get("resize") == null || isSize(raw.get("resize")));
        Object shortest = raw.get("shortest_edge");
        Object longest = raw.get("longest_edge");
        check(raw, "shortest_edge", shortest == null || isSide(shortest) && raw.get("resize") == null);
        check(raw, "longest_edge", longest == null || isSide(longest) && shortest != null);
        Object resample = raw.get("resample");
        check(raw, "resample",
            resample instanceof Long && (Long) resample >= 0 && (Long) resample < Filter.values().length);
        check(raw, "rescale", areNumbers(Collections.singletonList(raw.get("rescale")), 1, 0));
        check(raw, "mean", areNumbers(raw.get("mean"), CHANNELS, 0));
        check(raw, "std", areNumbers(raw.get("std"), CHANNELS, 1 / LARGEST_NUMBER));
        int[] size = size(raw.get("size"));
        height = size[0];
        width = size[1];
        resize = raw.get("resize") == null ? null : size(raw.get("resize"));
        shortestEdge = shortest == null ? null : (Integer) ((Long) shortest).intValue();
        longestEdge = longest == null ? null : (Integer) ((Long) longest).intValue();
        filter = Filter.values()[((Long) resample).intValue()];
        tables = tables((Double) raw.get("rescale"), (List<?>) raw.get("mean"), (List<?>) raw.get("std"));
    }

    private static void check(Map<String, Object> raw, String name, boolean right) {
        if (!right) {
            throw SatchelException.bundle("manifest.json: image: " + name + " = "
                + SatchelException.shown(raw.get(name)) + " makes no sense");
        }
    }

    private static boolean isSide(Object value) {
        return value instanceof Long && (Long) value >= 1 && (Long) value <= LARGEST_SIDE;
    }

    private static boolean isSize(Object value) {
        return value instanceof List && ((List<?>) value).size() == 2
            && isSide(((List<?>) value).get(0)) && isSide(((List<?>) value).get(1));
    }

    private static boolean areNumbers(Object values, int count, double least) {
        if (!(values instanceof List) || ((List<?>) values).size() != count) {
            return false;
        }
        for (Object value : (List<?>) values) {
            // A number with its point, as the export writes them.
            if (!(value instanceof Double) || !(Math.abs((Double) value) >= least)
                    || Math.abs((Double) value) > LARGEST_NUMBER) {
                return false;
            }
        }
        return true;
    }

    private static int[] size(Object value) {
        List<?> sides = (List<?>) value;
        return new int[] {((Long) sides.get(0)).intValue(), ((Long) sides.get(1)).intValue()};
    }

    /** One table of 256 values per channel: the rounding of transformers at the price of a look-up. */
    private static float[][] tables(double rescale, List<?> means, List<?> stds) {
        float[][] tables = new float[CHANNELS][256];
        for (int channel = 0; channel < CHANNELS; ++channel) {
            float mean = ((Double) means.get(channel)).floatValue();
            float std = ((Double) stds.get(channel)).floatValue();
            for (int level = 0; level < 256; ++level) {
                tables[channel][level] = ((float) (level * rescale) - mean) / std;
            }
        }
        return tables;
    }

    /** float32 [3, height, width] of a picture; what is transparent is laid on white. */
    public float[] pixels(Picture picture) {
        return pixels(onWhite(picture), picture.height, picture.width);
    }

    /** The same of bytes [height, width, 3]. */
    float[] pixels(byte[] rgb, int fromHeight, int fromWidth) {
        int[] wanted = resizedTo(fromHeight, fromWidth);
        byte[] resized = Resize.resized(rgb, fromHeight, fromWidth, wanted[0], wanted[1], filter);
        float[] pixels = new float[CHANNELS * height * width];
        for (int y = 0; y < height; ++y) {
            int fromY = centred(y, wanted[0], height);
            for (int x = 0; x < width; ++x) {
                int fromX = centred(x, wanted[1], width);
                boolean inside = fromY >= 0 && fromY < wanted[0] && fromX >= 0 && fromX < wanted[1];
                int at = (fromY * wanted[1] + fromX) * CHANNELS;
                for (int channel = 0; channel < CHANNELS; ++channel) {
                    int level = inside ? resized[at + channel] & 0xff : 0;
                    pixels[(channel * height + y) * width + x] = tables[channel][level];
                }
            }
        }
        return pixels;
    }

    /** Where in {@code size} pixels the middle {@code wanted} has a pixel, or where it lies before or behind them. */
    private static int centred(int place, int size, int wanted) {
        return size >= wanted ? place + (size - wanted) / 2 : place - (wanted - size + 1) / 2;
    }

    /** Height and width after the resize. */
    int[] resizedTo(int fromHeight, int fromWidth) {
        int[] same = {fromHeight, fromWidth};
        if (resize != null) {
            return resize;
        }
        if (shortestEdge == null) {
            return same;
        }
        int edge = shortestEdge;
        int shorter = Math.min(fromHeight, fromWidth);
        int longer = Math.max(fromHeight, fromWidth);
        double exact = edge;
        if (longestEdge != null && (double) longer / shorter * edge > longestEdge) {
            exact = (double) ((long) longestEdge * shorter) / longer;
            edge = (int) Math.rint(exact);
        }
        if (longestEdge != null && edge == shorter) {
            return same;
        }
        // The longer side follows from what the shorter would be before it is rounded.
        double longEdge = Math.floor(exact * longer / shorter);
        if (edge < 1 || edge * longEdge > MOST_PIXELS) {
            throw SatchelException.usage(
                "the image is too long and narrow: " + fromWidth + " x " + fromHeight + " pixels");
        }
        return fromWidth <= fromHeight ? new int[] {(int) longEdge, edge} : new int[] {edge, (int) longEdge};
    }

    /** Bytes [height, width, 3] with what is transparent laid on white, rounded as Pillow does. */
    static byte[] onWhite(Picture picture) {
        int[] argb = picture.argb;
        byte[] rgb = new byte[argb.length * CHANNELS];
        for (int i = 0; i < argb.length; ++i) {
            int alpha = argb[i] >>> 24;
            for (int channel = 0; channel < CHANNELS; ++channel) {
                int level = argb[i] >> (16 - 8 * channel) & 0xff;
                if (alpha < 255) {
                    int mixed = (level * alpha + 255 * (255 - alpha) << 7) + (0x80 << 7);
                    level = alpha == 0 ? 255 : (mixed >> 8) + mixed >> 8 >> 7;
                }
                rgb[i * CHANNELS + channel] = (byte) level;
            }
        }
        return rgb;
    }
}
