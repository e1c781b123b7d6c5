package satchel.cli;

import java.util.ArrayList;
import java.util.List;

/** Columns aligned, the first to the left and the others to the right. */
final class Table {
    private Table() {}

    /** The lines of a table. */
    static List<String> lines(List<String[]> rows) {
        List<String> lines = new ArrayList<String>();
        if (rows.isEmpty()) {
            return lines;
        }
        int[] widths = new int[rows.get(0).length];
        for (String[] row : rows) {
            for (int i = 0; i < widths.length; ++i) {
                widths[i] = Math.max(widths[i], width(Readable.plain(row[i])));
            }
        }
        for (String[] row : rows) {
            StringBuilder line = new StringBuilder();
            for (int i = 0; i < widths.length; ++i) {
                String cell = Readable.plain(row[i]);
                line.append(i > 0 ? "  " : "");
                line.append(i == 0 ? cell : "").append(spaces(widths[i] - width(cell))).append(i == 0 ? "" : cell);
            }
            lines.add(trimmed(line.toString()));
        }
        return lines;
    }

    static String of(List<String[]> rows) {
        return joined(lines(rows));
    }

    /** Two columns, both to the left. */
    static String left(List<String[]> rows) {
        int width = 0;
        for (String[] row : rows) {
            width = Math.max(width, width(row[0]));
        }
        List<String> lines = new ArrayList<String>();
        for (String[] row : rows) {
            lines.add(row[0] + spaces(width - width(row[0])) + "  " + Readable.plain(row[1]));
        }
        return joined(lines);
    }

    private static String joined(List<String> lines) {
        StringBuilder out = new StringBuilder();
        for (String line : lines) {
            out.append(out.length() > 0 ? "\n" : "").append(line);
        }
        return out.toString();
    }

    private static int width(String text) {
        return text.codePointCount(0, text.length());
    }

    private static String spaces(int count) {
        StringBuilder out = new StringBuilder();
        for (int i = 0; i < count; ++i) {
            out.append(' ');
        }
        return out.toString();
    }

    static String trimmed(String line) {
        int end = line.length();
        while (end > 0 && line.charAt(end - 1) == ' ') {
            --end;
        }
        return line.substring(0, end);
    }
}
