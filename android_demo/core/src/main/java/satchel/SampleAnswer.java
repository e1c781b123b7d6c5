package satchel;

/** What a bundle answered beside what is right, and how far apart they may be. */
public final class SampleAnswer {
    /**
     * Of the largest number of an answer: another processor rounds int8 activations elsewhere, and products of
     * int8 weights in blocks differ by up to 0.7 %.
     */
    public static final double SLACK = 0.02;

    public final String name;
    public final double distance;
    public final double limit;

    /** Of two answers that have as many numbers. */
    public SampleAnswer(String name, float[] actual, float[] expected, double limit) {
        this.name = name;
        distance = distance(actual, expected);
        this.limit = limit;
    }

    /** The largest size of a number, not a number where one is none. */
    public static double scale(float[] numbers) {
        double largest = 0;
        for (float number : numbers) {
            double size = Math.abs(number);
            largest = size > largest || size != size ? size : largest;
            if (size != size) {
                return size;
            }
        }
        return largest;
    }

    private static double distance(float[] actual, float[] expected) {
        if (actual.length != expected.length) {
            throw new IllegalArgumentException(actual.length + " numbers beside " + expected.length);
        }
        float[] apart = new float[actual.length];
        for (int i = 0; i < apart.length; ++i) {
            apart[i] = actual[i] - expected[i];
        }
        return scale(apart);
    }
}
