package satchel.json;

import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;

/** Numbers as text, as Python writes them: of a double exactly, rounded half to even. */
public final class Numbers {
    private static final int MOST_DIGITS = 17; // that tell doubles apart

    private Numbers() {}

    /** With so many digits behind the point. */
    public static String fixed(double value, int digits) {
        if (Double.isNaN(value) || Double.isInfinite(value)) {
            return odd(value);
        }
        String text = new BigDecimal(value).setScale(digits, RoundingMode.HALF_EVEN).toPlainString();
        return isNegative(value) && !text.startsWith("-") ? "-" + text : text;
    }

    /** With so many digits in all, short: 0.0123, 12, 1.5e-07. */
    public static String general(double value, int digits) {
        if (Double.isNaN(value) || Double.isInfinite(value)) {
            return odd(value);
        }
        if (value == 0) {
            return isNegative(value) ? "-0" : "0";
        }
        BigDecimal rounded = new BigDecimal(value).round(new MathContext(digits, RoundingMode.HALF_EVEN));
        int exponent = rounded.precision() - rounded.scale() - 1;
        return written(rounded, exponent, exponent < -4 || exponent >= digits, false);
    }

    /** In as few digits as tell it from every other. */
    public static String shortest(double value) {
        if (Double.isNaN(value) || Double.isInfinite(value)) {
            return odd(value);
        }
        if (value == 0) {
            return isNegative(value) ? "-0.0" : "0.0";
        }
        BigDecimal exact = new BigDecimal(value);
        BigDecimal rounded = exact;
        for (int digits = 1; digits <= MOST_DIGITS; ++digits) {
            rounded = exact.round(new MathContext(digits, RoundingMode.HALF_EVEN));
            if (rounded.doubleValue() == value) {
                break;
            }
        }
        int exponent = rounded.precision() - rounded.scale() - 1;
        return written(rounded, exponent, exponent < -4 || exponent >= 16, true);
    }

    private static String written(BigDecimal rounded, int exponent, boolean scientific, boolean point) {
        BigDecimal bare = rounded.stripTrailingZeros();
        if (!scientific) {
            String text = bare.toPlainString();
            return point && text.indexOf('.') < 0 ? text + ".0" : text;
        }
        String digits = bare.unscaledValue().abs().toString();
        StringBuilder out = new StringBuilder(bare.signum() < 0 ? "-" : "").append(digits.charAt(0));
        if (digits.length() > 1) {
            out.append('.').append(digits, 1, digits.length());
        }
        int size = Math.abs(exponent);
        return out.append(exponent < 0 ? "e-" : "e+").append(size < 10 ? "0" : "").append(size).toString();
    }

    /** Rounded to so many digits behind the point. */
    public static double rounded(double value, int digits) {
        if (Double.isNaN(value) || Double.isInfinite(value)) {
            return value;
        }
        double rounded = new BigDecimal(value).setScale(digits, RoundingMode.HALF_EVEN).doubleValue();
        return rounded == 0 && isNegative(value) ? -0.0 : rounded;
    }

    /** A whole number with commas between thousands. */
    public static String grouped(long value) {
        StringBuilder out = new StringBuilder(Long.toString(value));
        for (int place = out.length() - 3; place > 0; place -= 3) {
            out.insert(place, ',');
        }
        return out.toString();
    }

    private static boolean isNegative(double value) {
        return value < 0 || (value == 0 && 1 / value < 0);
    }

    private static String odd(double value) {
        return Double.isNaN(value) ? "nan" : value > 0 ? "inf" : "-inf";
    }
}
