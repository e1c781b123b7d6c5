package satchel.decoder;

import java.util.List;
import satchel.SatchelException;
import satchel.bundle.Manifest;

/** A manifest's probe of a decoder: ids, and a few logits that the reference model gave behind them. */
public final class Probe {
    final int[] ids;
    final int[] top; // whose logits those are
    final float[] reference;
    final double difference; // how far the bundle was from them when it was made

    private Probe(int[] ids, int[] top, float[] reference, double difference) {
        this.ids = ids;
        this.top = top;
        this.reference = reference;
        this.difference = difference;
    }

    /** Throws BUNDLE where there is none. */
    public static Probe of(Manifest manifest) {
        int[] ids = ids(manifest.probe.get("ids"), manifest.vocabSize);
        int[] top = ids(manifest.probe.get("top"), manifest.vocabSize);
        float[] reference = floats(manifest.probe.get("reference"));
        Object difference = manifest.probe.get("difference");
        if (ids == null
                || ids.length < 2
                || ids.length > manifest.context
                || top == null
                || reference == null
                || reference.length != top.length
                || !(difference instanceof Number)) {
            throw lacking();
        }
        return new Probe(ids, top, reference, ((Number) difference).doubleValue());
    }

    /** The source that the logits of an encoder-decoder model follow. Throws BUNDLE where there is none. */
    public static int[] source(Manifest manifest) {
        int[] source = ids(manifest.probe.get("source"), manifest.vocabSize);
        if (source == null) {
            throw lacking();
        }
        return source;
    }

    private static SatchelException lacking() {
        return SatchelException.bundle("manifest.json has no probe to check against; export the bundle again");
    }

    private static int[] ids(Object value, int vocabSize) {
        if (!(value instanceof List) || ((List<?>) value).isEmpty()) {
            return null;
        }
        int[] ids = new int[((List<?>) value).size()];
        for (int place = 0; place < ids.length; ++place) {
            Object id = ((List<?>) value).get(place);
            if (!(id instanceof Long) || (Long) id < 0 || (Long) id >= vocabSize) {
                return null;
            }
            ids[place] = ((Long) id).intValue();
        }
        return ids;
    }

    private static float[] floats(Object value) {
        if (!(value instanceof List)) {
            return null;
        }
        float[] numbers = new float[((List<?>) value).size()];
        for (int place = 0; place < numbers.length; ++place) {
            Object number = ((List<?>) value).get(place);
            if (!(number instanceof Number)) {
                return null;
            }
            numbers[place] = (float) ((Number) number).doubleValue();
        }
        return numbers;
    }
}
