package satchel.cli;

import java.io.File;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import satchel.SatchelException;

/** Results as a table, as JSON, or line by line of a file: what the verbs of encoders share. */
final class Results {
    /** Lines of a file that are read at once. */
    static final int CHUNK = 64;

    private Results() {}

    /** A table whose last column is text, or the result as JSON. */
    static void print(Given given, Console console, Object result, List<String[]> rows) {
        if (given.flag("json")) {
            console.line(Readable.json(Plain.of(result)));
            return;
        }
        List<String[]> figures = new ArrayList<String[]>();
        for (String[] row : rows) {
            figures.add(Arrays.copyOf(row, row.length - 1));
        }
        List<String> lines = Table.lines(figures);
        for (int i = 0; i < rows.size(); ++i) {
            String text = Readable.oneLine(rows.get(i)[rows.get(i).length - 1]);
            console.line(Table.trimmed(lines.get(i) + "  " + text));
        }
    }

    /** What is made of the lines of a file. */
    abstract static class ByLines {
        /** A result for each of some lines; `first` is the number of the first. */
        abstract List<?> run(List<String> lines, int first);

        /** Refuses a line that cannot be read. */
        void check(String line, int number) {}

        /** The cells of a result's rows. */
        abstract List<String[]> rows(Object result, String line);
    }

    /**
     * Prints what is made of the lines of a file, `size` at once, as it comes. With --json one value per line; else
     * a line's number and its rows' cells, with tabs between them.
     */
    static void printByLines(Given given, Console console, String name, int size, ByLines made) {
        File source = new File(name);
        Lines.count(source);
        Lines lines = Lines.of(source);
        try {
            int number = 1;
            for (List<String> chunk = lines.next(size); !chunk.isEmpty(); chunk = lines.next(size)) {
                for (int i = 0; i < chunk.size(); ++i) {
                    made.check(chunk.get(i), number + i);
                }
                List<?> results = ran(made, chunk, number, source);
                for (int i = 0; i < chunk.size(); ++i) {
                    printLine(given, console, number + i, results.get(i), made.rows(results.get(i), chunk.get(i)));
                }
                console.flush();
                number += chunk.size();
            }
        } finally {
            lines.close();
        }
    }

    private static List<?> ran(ByLines made, List<String> chunk, int number, File source) {
        try {
            return made.run(chunk, number);
        } catch (SatchelException error) {
            if (error.exitStatus != 2 || error.code.equals("WRONG_TASK")) {
                throw error;
            }
            String where = "line " + number + (chunk.size() > 1 ? " to " + (number + chunk.size() - 1) : "");
            throw SatchelException.usage(
                    SatchelException.shown(source) + ": " + where + ": " + error.getMessage(), error.code);
        }
    }

    private static void printLine(Given given, Console console, int number, Object result, List<String[]> rows) {
        if (given.flag("json")) {
            console.line(Readable.json(Plain.of(result)));
            return;
        }
        for (String[] row : rows) {
            StringBuilder line = new StringBuilder().append(number);
            for (String cell : row) {
                line.append('\t').append(Readable.oneLine(cell));
            }
            console.line(line.toString());
        }
    }
}
