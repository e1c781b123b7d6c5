package satchel.tokenizer;

import java.util.Map;

/** What cuts words into tokens. */
abstract class Model {
    final Vocabulary vocabulary;

    Model(Vocabulary vocabulary) {
        this.vocabulary = vocabulary;
    }

    /** Adds the tokens of one word, which is not empty. */
    abstract void tokenize(AlignedText word, Tokens tokens);

    /** Whether a token's text is the word's and not the vocabulary's, as of an unknown word. */
    boolean keepsText() {
        return false;
    }

    /** How many tokens, as the ids of added ones count on from it. */
    int size() {
        return vocabulary.size();
    }

    /** The model of tokenizer.json. */
    static Model read(Object value) {
        Fields fields = Fields.of(value, "the model");
        String type = fields.has("type") ? fields.text("type") : guessed(fields.all());
        fields = fields.named(type);
        if (type.equals("BPE")) {
            return Bpe.read(fields);
        }
        if (type.equals("WordPiece")) {
            return new WordPiece(fields);
        }
        if (type.equals("WordLevel")) {
            return new WordLevel(fields);
        }
        if (type.equals("Unigram")) {
            return Unigram.read(fields);
        }
        throw Invalid.unknown("model", type);
    }

    /** Older files do not name the kind of a model; its fields do. */
    private static String guessed(Map<String, Object> all) {
        if (all.get("merges") != null) {
            return "BPE";
        }
        if (all.get("max_input_chars_per_word") != null) {
            return "WordPiece";
        }
        if (all.get("vocab") instanceof JsonSpan && ((JsonSpan) all.get("vocab")).next() == '{') {
            return "WordLevel";
        }
        return "Unigram";
    }

    /** Whole words alone. */
    static final class WordLevel extends Model {
        private final String unknown;

        WordLevel(Fields fields) {
            super(Vocabulary.of(fields, "vocab"));
            unknown = fields.text("unk_token");
        }

        @Override
        void tokenize(AlignedText word, Tokens tokens) {
            int id = vocabulary.find(word.toString());
            if (id < 0) {
                id = vocabulary.find(unknown);
            }
            if (id < 0) {
                throw Invalid.text("it has a word that is not in the vocabulary, and neither is " + unknown);
            }
            tokens.add(id, 0, word.length);
        }
    }

    /** Of each word the longest beginning that is known, then the longest that goes on, and so on. */
    static final class WordPiece extends Model {
        private final String unknown;
        private final char[] prefix;
        private final int prefixHash;
        private final int most;

        WordPiece(Fields fields) {
            super(Vocabulary.of(fields, "vocab"));
            unknown = fields.text("unk_token");
            prefix = fields.text("continuing_subword_prefix").toCharArray();
            prefixHash = Vocabulary.hash(Vocabulary.seed(), prefix, 0, prefix.length);
            most = fields.number("max_input_chars_per_word");
        }

        @Override
        void tokenize(AlignedText word, Tokens tokens) {
            int first = tokens.size;
            if (word.length > most || !pieces(word, tokens)) {
                tokens.size = first;
                int id = vocabulary.find(unknown);
                if (id < 0) {
                    throw Invalid.text("it has a word that is not in the vocabulary, and neither is " + unknown);
                }
                tokens.add(id, 0, word.length);
            }
        }

        private boolean pieces(AlignedText word, Tokens tokens) {
            int n = word.length;
            char[] units = new char[2 * n];
            int[] places = new int[n + 1]; // of characters, in UTF-16 units
            for (int i = 0; i < n; ++i) {
                places[i + 1] = places[i] + Character.toChars(word.chars[i], units, places[i]);
            }
            int[] hashes = new int[n + 1];
            int start = 0;
            while (start < n) {
                char[] before = start > 0 ? prefix : Vocabulary.NOTHING;
                int hash = start > 0 ? prefixHash : Vocabulary.seed();
                int end = start;
                while (end < n && places[end] - places[start] + before.length < vocabulary.longest()) {
                    hash = Vocabulary.hash(hash, units, places[end], places[end + 1]);
                    hashes[++end] = hash;
                }
                int id = -1;
                while (end > start) {
                    id = vocabulary.find(before, units, places[start], places[end], hashes[end]);
                    if (id >= 0) {
                        break;
                    }
                    --end;
                }
                if (id < 0) {
                    return false;
                }
                tokens.add(id, start, end);
                start = end;
            }
            return true;
        }
    }
}
