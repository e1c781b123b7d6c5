package satchel.tokenizer;

/** What a text is cut at, or what is replaced in it. */
abstract class Pattern {
    /** Cuts `length` characters at the matches; the spans cover them. An empty text is one span without a match. */
    final Spans find(int[] text, int length) {
        Spans spans = new Spans();
        if (length == 0) {
            spans.add(0, 0, false);
        } else {
            cut(text, length, spans);
        }
        return spans;
    }

    abstract void cut(int[] text, int length, Spans spans);

    /** Single characters of a kind, each a match of its own. */
    abstract static class Characters extends Pattern {
        abstract boolean has(int c);

        @Override
        final void cut(int[] text, int length, Spans spans) {
            int last = 0;
            for (int i = 0; i < length; ++i) {
                if (has(text[i])) {
                    if (last < i) {
                        spans.add(last, i, false);
                    }
                    spans.add(i, i + 1, true);
                    last = i + 1;
                }
            }
            if (last < length) {
                spans.add(last, length, false);
            }
        }
    }

    /** One character. */
    static final class One extends Characters {
        private final int wanted;

        One(int wanted) {
            this.wanted = wanted;
        }

        @Override
        boolean has(int c) {
            return c == wanted;
        }
    }

    static final Pattern SPACES = new Characters() {
        @Override
        boolean has(int c) {
            return Letters.isSpace(c);
        }
    };

    static final Pattern PUNCTUATION = new Characters() {
        @Override
        boolean has(int c) {
            return Letters.isPunctuation(c);
        }
    };

    static final Pattern DIGITS = new Characters() {
        @Override
        boolean has(int c) {
            return Letters.isNumeric(c);
        }
    };

    /** Runs of letters, digits and underscores, and runs of what is neither those nor a space. */
    static final Pattern WORDS = new Pattern() {
        @Override
        void cut(int[] text, int length, Spans spans) {
            int at = 0;
            while (at < length) {
                int start = at;
                boolean word = Letters.isWord(text[at]);
                boolean space = !word && Letters.isSpace(text[at]);
                ++at;
                while (at < length && Letters.isWord(text[at]) == word && (word || Letters.isSpace(text[at]) == space)) {
                    ++at;
                }
                spans.add(start, at, !space);
            }
        }
    };
}
