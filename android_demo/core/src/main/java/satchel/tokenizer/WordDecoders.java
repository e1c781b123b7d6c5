package satchel.tokenizer;

import java.util.ArrayList;
import java.util.List;

/** Decoders that change each token by itself. */
final class WordDecoders {
    private WordDecoders() {}

    abstract static class Each extends Decoder {
        abstract String decode(String token, int index, int count);

        @Override
        final List<String> apply(List<String> tokens) {
            List<String> decoded = new ArrayList<String>(tokens.size());
            int count = tokens.size();
            for (int i = 0; i < count; ++i) {
                decoded.add(decode(tokens.get(i), i, count));
            }
            return decoded;
        }
    }

    /** A space before each token that does not go on with a word. */
    static final class WordPiece extends Each {
        private static final String[] TIDY = {
            " .", ".", " ?", "?", " !", "!", " ,", ",", " ' ", "'", " n't", "n't", " 'm", "'m", " do not", " don't",
            " 's", "'s", " 've", "'ve", " 're", "'re"
        };

        private final String prefix;
        private final boolean tidies;

        WordPiece(String prefix, boolean tidies) {
            this.prefix = prefix;
            this.tidies = tidies;
        }

        @Override
        String decode(String token, int index, int count) {
            String text = token;
            if (index > 0) {
                text = token.startsWith(prefix) ? token.substring(prefix.length()) : " " + token;
            }
            for (int i = 0; tidies && i < TIDY.length; i += 2) {
                text = text.replace(TIDY[i], TIDY[i + 1]);
            }
            return text;
        }
    }

    /** A suffix ends words: it becomes a space, at the very end nothing. */
    static final class Suffix extends Each {
        private final String suffix;

        Suffix(String suffix) {
            this.suffix = suffix;
        }

        @Override
        String decode(String token, int index, int count) {
            return token.replace(suffix, index == count - 1 ? "" : " ");
        }
    }

    /** Letters that stand for spaces; the first token loses those that were put before the text. */
    static final class Metaspace extends Each {
        private final String letter;
        private final boolean added;

        Metaspace(MetaspaceSettings settings) {
            letter = new String(Character.toChars(settings.letter));
            added = settings.scheme != MetaspaceSettings.NEVER;
        }

        @Override
        String decode(String token, int index, int count) {
            return token.replace(letter, index == 0 && added ? "" : " ");
        }
    }

    /** Takes a character off both ends, as often as is said. */
    static final class Strip extends Each {
        private final int content;
        private final int start;
        private final int stop;

        Strip(int content, int start, int stop) {
            this.content = content;
            this.start = start;
            this.stop = stop;
        }

        @Override
        String decode(String token, int index, int count) {
            int[] chars = AlignedText.codePoints(token);
            int from = 0;
            while (from < chars.length && from < start && chars[from] == content) {
                ++from;
            }
            int to = chars.length;
            while (to > from && chars.length - to < stop && chars[to - 1] == content) {
                --to;
            }
            return new String(chars, from, to - from);
        }
    }

    static final class Replace extends Each {
        private final Pattern pattern;
        private final String content;

        Replace(Pattern pattern, String content) {
            this.pattern = pattern;
            this.content = content;
        }

        @Override
        String decode(String token, int index, int count) {
            int[] chars = AlignedText.codePoints(token);
            Spans spans = pattern.find(chars, chars.length);
            StringBuilder out = new StringBuilder(token.length());
            for (int i = 0; i < spans.size; ++i) {
                if (spans.matches[i]) {
                    out.append(content);
                } else {
                    out.append(new String(chars, spans.starts[i], spans.ends[i] - spans.starts[i]));
                }
            }
            return out.toString();
        }
    }
}
