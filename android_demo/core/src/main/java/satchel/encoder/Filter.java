package satchel.encoder;

/** What a resize weighs pixels by: the filters of Pillow, by their numbers there. */
enum Filter {
    NEAREST(0), LANCZOS(3), BILINEAR(1), BICUBIC(2), BOX(0.5), HAMMING(1);

    private static final double A = -0.5; // of the bicubic

    /** How far it reaches, in pixels of whichever picture is the coarser. */
    final double support;

    Filter(double support) {
        this.support = support;
    }

    /** The weight of a pixel at a distance from the middle. */
    double weight(double distance) {
        double x = Math.abs(distance);
        switch (this) {
            case LANCZOS:
                return distance >= -3 && distance < 3 ? sinc(distance) * sinc(distance / 3) : 0;
            case BILINEAR:
                return x < 1 ? 1 - x : 0;
            case BICUBIC:
                return x < 1 ? ((A + 2) * x - (A + 3)) * x * x + 1 : x < 2 ? (((x - 5) * x + 8) * x - 4) * A : 0;
            case BOX:
                return distance > -0.5 && distance <= 0.5 ? 1 : 0;
            case HAMMING:
                if (x == 0 || x >= 1) {
                    return x == 0 ? 1 : 0;
                }
                x *= Math.PI;
                return Math.sin(x) / x * (0.54 + 0.46 * Math.cos(x));
            default:
                throw new IllegalStateException(name());
        }
    }

    private static double sinc(double x) {
        return x == 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI);
    }
}
