package satchel.encoder;

import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import satchel.Span;

/** Labels of tokens become spans of the original text. Knows no model. Places are code points. */
public final class Spans {
    /** The label of what is in no span. */
    private static final String OUTSIDE = "O";
    /** Begin, single, unit, whole. */
    private static final String BEGIN = "BSUW";
    private static final String INSIDE = "IM";
    /** End, last, and those of one word alone. */
    private static final String LAST = "ELSUW";
    private static final int JOINER = 0x200D;

    private Spans() {}

    /**
     * Spans from the probabilities of tokens [tokens, labels]; {@code words} numbers each token's word, -1 for none.
     *
     * <p>A word has the label and score of its first token. Words in a row of one kind are a span unless a prefix
     * parts them; its score is their mean.
     */
    public static List<Span> merged(
            String whole, int[] starts, int[] ends, int[] words, float[] scores, List<String> names) {
        int[] text = Letters.points(whole);
        List<String> kinds = new ArrayList<String>();
        char[] prefixes = prefixes(names, kinds);
        List<Found> spans = new ArrayList<Found>();
        String going = OUTSIDE; // the kind of a span that the next word may continue
        for (Word word : words(text, starts, ends, words)) {
            int best = best(scores, word.row, names.size());
            double score = scores[word.row * names.size() + best];
            char prefix = prefixes[best];
            String kind = kinds.get(best);
            boolean inside = !kind.equals(OUTSIDE);
            if (inside && kind.equals(going) && BEGIN.indexOf(prefix) < 0) {
                Found last = spans.get(spans.size() - 1);
                last.end = word.end;
                last.sum += score;
                last.count += 1;
            } else if (inside) {
                spans.add(new Found(kind, word.start, word.end, score));
            }
            going = LAST.indexOf(prefix) >= 0 ? OUTSIDE : kind;
        }
        List<Span> found = new ArrayList<Span>();
        for (Found one : spans) {
            String piece = Letters.text(text, one.start, one.end);
            found.add(new Span(one.kind, piece, one.start, one.end, one.sum / one.count));
        }
        return found;
    }

    private static int best(float[] scores, int row, int size) {
        int best = 0;
        for (int i = 1; i < size; ++i) {
            if (scores[row * size + i] > scores[row * size + best]) {
                best = i;
            }
        }
        return best;
    }

    /** The prefix of every label, a space where it has none; {@code kinds} gets what stands behind it. */
    private static char[] prefixes(List<String> names, List<String> kinds) {
        // B- and I- always are prefixes. The letters of BIOES, BILOU and BMEWO are such only where the same kind
        // has a B- or I-, so that a label may be called "E-mail".
        Set<String> known = new HashSet<String>();
        for (String name : names) {
            if (name.startsWith("B-") || name.startsWith("I-")) {
                known.add(name.substring(2));
            }
        }
        char[] prefixes = new char[names.size()];
        for (int i = 0; i < prefixes.length; ++i) {
            String name = names.get(i);
            boolean prefixed = name.length() > 1 && name.charAt(1) == '-'
                && (BEGIN + INSIDE + LAST).indexOf(name.charAt(0)) >= 0 && known.contains(name.substring(2));
            prefixes[i] = prefixed ? name.charAt(0) : ' ';
            kinds.add(prefixed ? name.substring(2) : name);
        }
        return prefixes;
    }

    private static final class Found {
        final String kind;
        final int start;
        int end;
        double sum;
        int count = 1;

        Found(String kind, int start, int end, double score) {
            this.kind = kind;
            this.start = start;
            this.end = end;
            this.sum = score;
        }
    }

    private static final class Word {
        final int start;
        int end;
        /** Of its first token. */
        final int row;

        Word(int start, int end, int row) {
            this.start = start;
            this.end = end;
            this.row = row;
        }
    }

    /** Every word, without special tokens. */
    private static List<Word> words(int[] text, int[] starts, int[] ends, int[] words) {
        List<Word> spans = new ArrayList<Word>();
        int lastWord = -1;
        for (int row = 0; row < starts.length; ++row) {
            int start = Letters.trimmedStart(text, starts[row], ends[row]);
            int end = Letters.trimmedEnd(text, starts[row], ends[row]);
            if (words[row] < 0 || start == end) {
                continue; // special, or nothing but white space
            }
            // Byte-level tokenizers split words before and after an accent that is a character.
            boolean accent = start > 0 && (Letters.isMark(text, start - 1) || Letters.isMark(text, start));
            Word last = spans.isEmpty() ? null : spans.get(spans.size() - 1);
            if (last != null && (words[row] == lastWord || accent) && goesOn(text, start, last.end)) {
                last.end = Math.max(end, last.end);
            } else {
                int from = Math.max(start, last == null ? 0 : last.end);
                start = Letters.trimmedStart(text, from, end);
                end = Letters.trimmedEnd(text, from, end);
                if (start < end) {
                    spans.add(new Word(start, end, row));
                }
            }
            lastWord = words[row];
        }
        return spans;
    }

    /**
     * Whether a token at {@code start} belongs to the word before it, which ends at {@code end}. Tokenizers that
     * split at spaces alone call "Paris," one word, and a line of Chinese or Thai too.
     */
    private static boolean goesOn(int[] text, int start, int end) {
        if (start < end) {
            return true; // bytes of one character
        }
        if (start > end) {
            return false;
        }
        int before = text[end - 1];
        int after = text[start];
        if (before == JOINER || after == JOINER || Letters.isMark(after)) {
            return true;
        }
        return Letters.isLetter(before) && Letters.isLetter(after)
            && !Letters.isUnspaced(before) && !Letters.isUnspaced(after);
    }
}
