package satchel.conformance;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import satchel.Picture;

/** Texts, sounds and images from a few numbers, as docs/conformance.md says. */
final class MadeInputs {
    private static final int LOUD = 8000;
    private static final long WORD = 0xffffffffL;

    private MadeInputs() {}

    /** A text: itself, its UTF-16 units, or a piece so many times; null stays null, and another value too. */
    static Object any(Object given) {
        if (!(given instanceof Map)) {
            return given;
        }
        StringBuilder out = new StringBuilder();
        Map<String, Object> parts = CaseFile.map(given);
        if (parts.containsKey("units")) {
            for (Object unit : CaseFile.list(parts.get("units"))) {
                out.append((char) ((Long) unit).intValue());
            }
            return out.toString();
        }
        for (long left = (Long) parts.get("times"); left > 0; --left) {
            out.append((String) parts.get("repeat"));
        }
        return out.toString();
    }

    static String text(Object given) {
        Object text = any(given);
        if (text != null && !(text instanceof String)) {
            throw new Untyped(text);
        }
        return (String) text;
    }

    /** A text (String) or ids (int[]). */
    static Object prompt(Object given) {
        return given instanceof List ? ids(given) : text(given);
    }

    static List<String> texts(Object given) {
        List<String> texts = new ArrayList<String>();
        for (Object one : CaseFile.list(given)) {
            texts.add(text(one));
        }
        return texts;
    }

    static int[] ids(Object given) {
        List<Object> list = CaseFile.list(given);
        int[] ids = new int[list.size()];
        for (int i = 0; i < ids.length; ++i) {
            if (!(list.get(i) instanceof Long)) {
                throw new Untyped(list.get(i));
            }
            ids[i] = ((Long) list.get(i)).intValue();
        }
        return ids;
    }

    static float[] sound(Object given, int rate) {
        Map<String, Object> parts = CaseFile.map(given);
        long seed = (Long) parts.get("seed");
        float[] samples = new float[((Long) parts.get("samples")).intValue()];
        for (int i = 0; i < samples.length; ++i) {
            long total = noise(i, seed);
            for (int tone = 0; tone < 2; ++tone) {
                long phase = i * (150 + 170 * tone + 90 * seed) % rate;
                long wave = 2 * Math.abs(2 * phase - rate) - rate;
                long loudness = Math.abs(2 * ((long) i * (1 + tone) % rate) - rate);
                total += Math.floorDiv(wave * loudness * LOUD, (long) rate * rate);
            }
            samples[i] = total / 32768f;
        }
        if (parts.containsKey("silence")) {
            int[] bounds = ids(parts.get("silence"));
            for (int i = bounds[0]; i < Math.min(bounds[1], samples.length); ++i) {
                samples[i] = 0;
            }
        }
        return samples;
    }

    private static long noise(long place, long seed) {
        long mixed = place * 2654435761L + seed * 40503 & WORD;
        mixed ^= mixed >> 15;
        mixed = mixed * 2246822519L & WORD;
        mixed ^= mixed >> 13;
        return (mixed >> 22) - 512;
    }

    static Picture image(Object given) {
        Map<String, Object> parts = CaseFile.map(given);
        int height = ((Long) parts.get("height")).intValue();
        int width = ((Long) parts.get("width")).intValue();
        int seed = ((Long) parts.get("seed")).intValue();
        byte[] rgb = new byte[height * width * 3];
        for (int y = 0, at = 0; y < height; ++y) {
            for (int x = 0; x < width; ++x) {
                int squares = ((x >> 3 ^ y >> 3) & 1) * 64;
                for (int c = 0; c < 3; ++c) {
                    rgb[at++] = (byte) (97 * seed + 31 * c + 3 * x + 5 * y + (x * y >> 3) + squares);
                }
            }
        }
        return Picture.ofRgb(rgb, width, height);
    }
}
