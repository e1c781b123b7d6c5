package satchel.tokenizer;

import java.util.List;

/** What becomes of the matches when a text is cut at them. */
final class Splitting {
    static final int REMOVED = 0;
    static final int ISOLATED = 1;
    static final int MERGED_WITH_PREVIOUS = 2;
    static final int MERGED_WITH_NEXT = 3;
    static final int CONTIGUOUS = 4;

    private static final String[] NAMES = {
        "Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"
    };

    private Splitting() {}

    static int read(Fields fields) {
        String name = fields.text("behavior");
        for (int i = 0; i < NAMES.length; ++i) {
            if (NAMES[i].equals(name)) {
                return i;
            }
        }
        throw Invalid.unknown("behavior", name);
    }

    /** Adds the parts of `text` to `parts`; with `invert` what lies between the matches counts as the matches. */
    static void split(AlignedText text, Pattern pattern, int behavior, boolean invert, List<Part> parts) {
        Spans spans = pattern.find(text.chars, text.length);
        int n = spans.size;
        if (invert) {
            for (int i = 0; i < n; ++i) {
                spans.matches[i] = !spans.matches[i];
            }
        }
        int i = 0;
        while (i < n) {
            int first = i;
            boolean match = spans.matches[i++];
            if (behavior == CONTIGUOUS) {
                while (i < n && spans.matches[i] == match) {
                    ++i;
                }
            } else if (behavior == MERGED_WITH_PREVIOUS) {
                // Only a match that follows something else joins it; of matches in a row the first alone does.
                if (!match && i < n && spans.matches[i]) {
                    ++i;
                }
            } else if (behavior == MERGED_WITH_NEXT) {
                if (match && i < n && !spans.matches[i]) {
                    ++i;
                }
            } else if (behavior == REMOVED && match) {
                continue;
            }
            Part.add(parts, text.slice(spans.starts[first], spans.ends[i - 1]));
        }
    }
}
