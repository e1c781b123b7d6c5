package satchel.cli;

import java.util.ArrayList;
import java.util.Collections;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import satchel.SatchelException;
import satchel.Seq2seqModel;
import satchel.generate.Generation;
import satchel.text.Whitespace;

/** A text line by line into another language: in batches of like length, in the order of the lines. */
final class TranslationLines {
    /** Lines that are sorted, and written out together. */
    private static final int WINDOW = 256;
    /** Of a batch, at most: sources, and their tokens with the longest counted for each. */
    private static final int ROWS = 16;
    private static final int TOKENS = 1024;

    private final Seq2seqModel model;
    private final String targetLang;
    private final Map<String, Object> options;
    private final List<int[]> sources = new ArrayList<int[]>();

    /** Every line is checked before the first is made; an error names the line. */
    TranslationLines(
            Seq2seqModel model,
            List<String> lines,
            String sourceLang,
            String targetLang,
            Map<String, Object> options) {
        this.model = model;
        this.targetLang = targetLang;
        this.options = options;
        for (String line : lines) {
            sources.add(encoded(line, sourceLang));
        }
        model.targets(new ArrayList<int[]>(), targetLang, options, null); // a missing language is found before any work
    }

    private int[] encoded(String line, String sourceLang) {
        if (Whitespace.stripped(line).isEmpty()) {
            return new int[0];
        }
        try {
            int[] ids = model.encodeSource(line, sourceLang, targetLang);
            int most = model.manifest.seq2seq.sourceContext;
            if (ids.length > most) {
                throw SatchelException.limit(
                        "the source has " + ids.length + " tokens, the bundle reads up to " + most + ": shorten it",
                        "PROMPT_TOO_LONG");
            }
            return ids;
        } catch (SatchelException error) {
            if (error.code.equals("USAGE")) { // of a language, not of this line
                throw error;
            }
            String message = "line " + (sources.size() + 1) + ": " + error.getMessage();
            throw error.exitStatus == 6
                    ? SatchelException.limit(message, error.code)
                    : SatchelException.usage(message, error.code);
        }
    }

    /** Prints a line for each line; a blank one stays blank. */
    void print(Console console) {
        String[] texts = new String[sources.size()];
        int written = 0;
        int rows = Boolean.TRUE.equals(options.get("lookup")) ? 1 : ROWS;
        for (int start = 0; start < sources.size(); start += WINDOW) {
            for (List<Integer> batch : batches(start, rows)) {
                List<int[]> these = new ArrayList<int[]>();
                for (int index : batch) {
                    these.add(sources.get(index));
                }
                List<Generation> targets = model.targets(these, targetLang, options, null);
                for (int i = 0; i < batch.size(); ++i) {
                    texts[batch.get(i)] = joined(Whitespace.lines(targets.get(i).text));
                }
                while (written < texts.length && (texts[written] != null || sources.get(written).length == 0)) {
                    print(texts[written++], console);
                }
            }
        }
        for (; written < texts.length; ++written) {
            print(null, console);
        }
    }

    private static void print(String text, Console console) {
        console.line(text == null ? "" : console.readable(text));
        console.flush();
    }

    private static String joined(List<String> lines) {
        StringBuilder out = new StringBuilder();
        for (String line : lines) {
            out.append(out.length() > 0 ? " " : "").append(line);
        }
        return out.toString();
    }

    /** Indices of a window's sources, longest first, so that those of a batch are alike. */
    private List<List<Integer>> batches(int start, int rows) {
        List<Integer> order = new ArrayList<Integer>();
        for (int i = start; i < Math.min(start + WINDOW, sources.size()); ++i) {
            if (sources.get(i).length > 0) {
                order.add(i);
            }
        }
        Collections.sort(order, new Comparator<Integer>() {
            @Override
            public int compare(Integer one, Integer other) {
                return sources.get(other).length - sources.get(one).length;
            }
        });
        List<List<Integer>> batches = new ArrayList<List<Integer>>();
        int at = 0;
        while (at < order.size()) {
            int size = Math.max(1, Math.min(rows, TOKENS / sources.get(order.get(at)).length));
            int end = Math.min(order.size(), at + size);
            batches.add(order.subList(at, end));
            at = end;
        }
        return batches;
    }
}
