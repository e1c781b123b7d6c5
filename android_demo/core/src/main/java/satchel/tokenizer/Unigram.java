package satchel.tokenizer;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/** A unigram language model (Kudo 2018): of all ways to cut a word the one with the best sum of scores. */
final class Unigram extends Model {
    private static final double UNKNOWN_PENALTY = 10;

    private final double[] scores;
    private final int unknown; // -1: none
    private final double unknownScore;
    private final boolean fallsBack;
    private final int[] bytes = new int[256];
    private final Prefixes prefixes;

    private Unigram(List<String> tokens, double[] scores, int unknown, boolean fallsBack) {
        super(Vocabulary.of(tokens));
        this.scores = scores;
        this.unknown = unknown;
        this.fallsBack = fallsBack;
        double least = Double.POSITIVE_INFINITY;
        for (double score : scores) {
            least = Math.min(least, score);
        }
        unknownScore = least - UNKNOWN_PENALTY;
        for (int b = 0; b < 256; ++b) {
            bytes[b] = vocabulary.find(Bpe.byteToken(b));
        }
        prefixes = new Prefixes(vocabulary);
    }

    static Unigram read(Fields fields) {
        List<String> tokens = new ArrayList<String>();
        double[] scores = new double[1024];
        JsonSpan span = fields.span("vocab", '[');
        for (boolean more = span.opens('[', ']'); more; more = span.goesOn(']')) {
            if (!span.opens('[', ']')) {
                throw Invalid.file("an entry of Unigram's vocab is not a token and its score");
            }
            String token = span.string();
            Object score = span.goesOn(']') ? span.value() : null;
            if (!(score instanceof Number) || span.goesOn(']')) {
                throw Invalid.file("an entry of Unigram's vocab is not a token and its score");
            }
            if (tokens.size() == scores.length) {
                scores = Arrays.copyOf(scores, 2 * scores.length);
            }
            scores[tokens.size()] = ((Number) score).doubleValue();
            tokens.add(token);
        }
        scores = Arrays.copyOf(scores, tokens.size());
        int unknown = fields.number("unk_id", -1);
        if (unknown >= tokens.size()) {
            throw fields.wrong("unk_id", "an id of its vocab");
        }
        return new Unigram(tokens, scores, unknown, fields.flag("byte_fallback", false));
    }

    @Override
    int size() {
        return vocabulary.count();
    }

    @Override
    boolean keepsText() {
        return true;
    }

    @Override
    void tokenize(AlignedText word, Tokens tokens) {
        int n = word.length;
        char[] units = new char[2 * n];
        int[] places = new int[n + 1]; // of characters, in UTF-16 units
        int[] characters = new int[2 * n + 1]; // the reverse
        for (int i = 0; i < n; ++i) {
            places[i + 1] = places[i] + Character.toChars(word.chars[i], units, places[i]);
            characters[places[i + 1]] = i + 1;
        }
        int length = places[n];
        double[] best = new double[n + 1];
        int[] from = new int[n + 1];
        int[] ids = new int[n + 1];
        Arrays.fill(from, -1);
        Prefixes.Search search = prefixes.search(units, length);
        for (int i = 0; i < n; ++i) {
            boolean single = false;
            search.begin(places[i]);
            while (search.next()) {
                int end = characters[search.end()];
                int id = search.id();
                double score = scores[id] + best[i];
                if (from[end] < 0 || score > best[end]) {
                    best[end] = score;
                    from[end] = i;
                    ids[end] = id;
                }
                single |= end == i + 1;
            }
            if (!single) {
                double score = unknownScore + best[i];
                if (from[i + 1] < 0 || score > best[i + 1]) {
                    if (unknown < 0) {
                        throw Invalid.text("it has a character that is not in the vocabulary, which has no unknown token");
                    }
                    best[i + 1] = score;
                    from[i + 1] = i;
                    ids[i + 1] = unknown;
                }
            }
        }
        emit(word, units, places, from, ids, tokens);
    }

    private void emit(AlignedText word, char[] units, int[] places, int[] from, int[] ids, Tokens tokens) {
        int n = word.length;
        int count = 0;
        int[] cuts = new int[n + 1]; // the ends of the tokens, from the last on; unknown ones in a row are one
        boolean[] strange = new boolean[n + 1];
        for (int end = n; end > 0; end = from[end]) {
            boolean isUnknown = ids[end] == unknown;
            if (!isUnknown || count == 0 || !strange[count - 1]) {
                cuts[count] = end;
                strange[count++] = isUnknown;
            }
        }
        int start = 0;
        for (int i = count - 1; i >= 0; --i) {
            int end = cuts[i];
            int id = vocabulary.find(units, places[start], places[end]);
            if (id >= 0) {
                tokens.add(id, start, end);
            } else if (!fallsBack || !addBytes(word, start, end, tokens)) {
                tokens.add(unknown, start, end);
            }
            start = end;
        }
    }

    private boolean addBytes(AlignedText word, int start, int end, Tokens tokens) {
        byte[] utf8 = Utf8.encode(word.text(start, end));
        for (byte b : utf8) {
            if (bytes[b & 255] < 0) {
                return false;
            }
        }
        for (byte b : utf8) {
            tokens.add(bytes[b & 255], start, end);
        }
        return true;
    }
}
