package satchel.tokenizer;

/** Finds every token that a text goes on with. A sorted list needs a fraction of a tree's memory. */
final class Prefixes {
    private final Vocabulary vocabulary;
    private final int[] sorted;
    private final int[] begins = new int[65537]; // where tokens with a first unit begin in the list

    Prefixes(Vocabulary vocabulary) {
        this.vocabulary = vocabulary;
        sorted = vocabulary.sorted();
        int at = 0;
        while (at < sorted.length && vocabulary.length(sorted[at]) == 0) {
            ++at;
        }
        for (int unit = 0; unit < 65536; ++unit) {
            begins[unit] = at;
            while (at < sorted.length && vocabulary.letter(sorted[at], 0) == unit) {
                ++at;
            }
        }
        begins[65536] = at;
    }

    Search search(char[] text, int length) {
        return new Search(text, length);
    }

    /** One text that is searched at one place after another. */
    final class Search {
        private final char[] text;
        private final int length;
        private int start;
        private int end;
        private int low;
        private int high;
        private int found;

        private Search(char[] text, int length) {
            this.text = text;
            this.length = length;
        }

        void begin(int place) {
            start = place;
            end = place;
            low = 0;
            high = sorted.length;
        }

        /** Goes on to the next longer token; false where there is none. */
        boolean next() {
            while (end < length) {
                char unit = text[end];
                int depth = end - start;
                if (depth == 0) {
                    low = begins[unit];
                    high = begins[unit + 1];
                } else {
                    low = first(low, high, depth, unit);
                    high = first(low, high, depth, unit + 1);
                }
                if (low >= high) {
                    return false;
                }
                ++end;
                if (vocabulary.length(sorted[low]) == depth + 1) {
                    // Of tokens that are there twice the last counts, and the search goes on behind them.
                    while (low < high && vocabulary.length(sorted[low]) == depth + 1) {
                        found = sorted[low++];
                    }
                    return true;
                }
            }
            return false;
        }

        /** The first entry from low on whose unit at `depth` is not less than `unit`. */
        private int first(int low, int high, int depth, int unit) {
            int a = low;
            int b = high;
            while (a < b) {
                int middle = (a + b) >>> 1;
                if (vocabulary.letter(sorted[middle], depth) < unit) {
                    a = middle + 1;
                } else {
                    b = middle;
                }
            }
            return a;
        }

        int end() {
            return end;
        }

        int id() {
            return found; // tokens' ids are their places
        }
    }
}
