package satchel.speech;

import java.util.Arrays;

/**
 * Triangles of equal area over the frequencies of a spectrum, evenly on Slaney's scale of pitch: linear up to 1000
 * Hz, which are 15 mels, and logarithmic above. Only what is not zero is kept.
 */
final class MelFilters {
    /** Hz, of the topmost band. */
    static final double HIGHEST_PITCH = 8000;
    private static final double LINEAR_BELOW = 1000;
    private static final double LINEAR_BANDS = 15;
    private static final double LOG_STEP = 27 / Math.log(6.4);

    /** Where each filter begins, and its weights from there. */
    final int[] starts;
    final double[][] weights;

    MelFilters(int mels, int samplingRate, int size) {
        double[] corners = corners(mels);
        int count = size / 2 + 1;
        double[] pitches = evenly(samplingRate / 2, count);
        starts = new int[mels];
        weights = new double[mels][];
        for (int band = 0; band < mels; ++band) {
            double[] filter = new double[count];
            int first = count;
            int last = -1;
            for (int i = 0; i < count; ++i) {
                double rising = (pitches[i] - corners[band]) / (corners[band + 1] - corners[band]);
                double falling = (corners[band + 2] - pitches[i]) / (corners[band + 2] - corners[band + 1]);
                double weight = Math.min(rising, falling);
                if (weight > 0) {
                    filter[i] = weight * (2 / (corners[band + 2] - corners[band]));
                    first = Math.min(first, i);
                    last = i;
                }
            }
            starts[band] = first;
            weights[band] = last < 0 ? new double[0] : Arrays.copyOfRange(filter, first, last + 1);
        }
    }

    private static double[] corners(int mels) {
        double top = LINEAR_BANDS + LOG_STEP * Math.log(HIGHEST_PITCH / LINEAR_BELOW);
        double[] corners = evenly(top, mels + 2);
        for (int i = 0; i < corners.length; ++i) {
            corners[i] = corners[i] < LINEAR_BANDS
                ? corners[i] * LINEAR_BELOW / LINEAR_BANDS
                : LINEAR_BELOW * Math.exp((corners[i] - LINEAR_BANDS) / LOG_STEP);
        }
        return corners;
    }

    private static double[] evenly(double last, int count) {
        double[] values = new double[count];
        double step = last / (count - 1);
        for (int i = 0; i < count; ++i) {
            values[i] = i * step;
        }
        values[count - 1] = last;
        return values;
    }

    /** Whether a filter hears nothing at all. */
    boolean hasEmpty() {
        for (double[] filter : weights) {
            if (filter.length == 0) {
                return true;
            }
        }
        return false;
    }
}
