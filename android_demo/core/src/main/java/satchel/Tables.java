package satchel;

import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.List;

/** Figures and tables for people. */
public final class Tables {
    private Tables() {}

    /** A number in so many significant digits, without zeros behind: as Python's "%.3g" for 3. */
    public static String figure(double value, int digits) {
        if (value != value) {
            return "nan";
        }
        if (Double.isInfinite(value)) {
            return value > 0 ? "inf" : "-inf";
        }
        if (value == 0) {
            return 1 / value < 0 ? "-0" : "0";
        }
        BigDecimal rounded = new BigDecimal(value).round(new MathContext(digits, RoundingMode.HALF_EVEN));
        int exponent = rounded.precision() - rounded.scale() - 1;
        BigDecimal plain = rounded.stripTrailingZeros();
        if (exponent >= -4 && exponent < digits) {
            return plain.toPlainString();
        }
        String mantissa = plain.movePointLeft(exponent).stripTrailingZeros().toPlainString();
        int size = Math.abs(exponent);
        return mantissa + (exponent < 0 ? "e-" : "e+") + (size < 10 ? "0" : "") + size;
    }

    /** Lines of columns that are aligned, the first to the left and the others to the right. */
    public static List<String> lines(List<String[]> rows) {
        int[] widths = new int[rows.get(0).length];
        for (String[] row : rows) {
            for (int column = 0; column < widths.length; ++column) {
                widths[column] = Math.max(widths[column], row[column].length());
            }
        }
        List<String> lines = new ArrayList<String>();
        for (String[] row : rows) {
            StringBuilder line = new StringBuilder(row[0]);
            pad(line, widths[0] - row[0].length());
            for (int column = 1; column < widths.length; ++column) {
                pad(line, 2 + widths[column] - row[column].length());
                line.append(row[column]);
            }
            int end = line.length();
            while (end > 0 && line.charAt(end - 1) == ' ') {
                --end;
            }
            lines.add(line.substring(0, end));
        }
        return lines;
    }

    private static void pad(StringBuilder line, int count) {
        for (int i = 0; i < count; ++i) {
            line.append(' ');
        }
    }
}
