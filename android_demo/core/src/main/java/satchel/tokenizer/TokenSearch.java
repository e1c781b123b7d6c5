package satchel.tokenizer;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import satchel.SatchelException;

/** Cuts added tokens out of a text: the leftmost first, of several at one place the longest. */
final class TokenSearch {
    private final Map<Long, Entry[]> byBeginning = new HashMap<Long, Entry[]>(); // of two characters, or the only one
    private final boolean[] ascii = new boolean[128];
    private final boolean beyond;

    private static final class Entry {
        final int[] text;
        final AddedToken token;

        Entry(int[] text, AddedToken token) {
            this.text = text;
            this.token = token;
        }
    }

    /** Searches for those tokens, in a normalised text for their normalised forms. */
    TokenSearch(List<AddedToken> tokens, boolean normalized, TextNormalizer normalizer) {
        Map<Long, List<Entry>> lists = new HashMap<Long, List<Entry>>();
        Set<String> seen = new HashSet<String>();
        boolean others = false;
        for (AddedToken token : tokens) {
            if (token.normalized != normalized) {
                continue;
            }
            AlignedText text = AlignedText.of(token.content);
            if (normalized && normalizer != null) {
                normalizer.apply(text);
            }
            if (text.length == 0) { // which is nowhere
                continue;
            }
            if (!seen.add(text.toString())) { // which of them a text has would be chance
                throw Invalid.file("the added token " + SatchelException.shown(token.content)
                        + " is the same as another once normalised");
            }
            int first = text.chars[0];
            if (first < 128) {
                ascii[first] = true;
            } else {
                others = true;
            }
            long beginning = beginning(first, text.length > 1 ? text.chars[1] : -1);
            List<Entry> list = lists.get(beginning);
            if (list == null) {
                list = new ArrayList<Entry>();
                lists.put(beginning, list);
            }
            list.add(new Entry(Arrays.copyOf(text.chars, text.length), token));
        }
        beyond = others;
        for (Map.Entry<Long, List<Entry>> entry : lists.entrySet()) {
            Entry[] entries = entry.getValue().toArray(new Entry[0]);
            Arrays.sort(entries, LONGEST_FIRST);
            byBeginning.put(entry.getKey(), entries);
        }
    }

    private static final Comparator<Entry> LONGEST_FIRST = new Comparator<Entry>() {
        @Override
        public int compare(Entry a, Entry b) {
            return b.text.length - a.text.length;
        }
    };

    /** Adds the tokens in a text and what lies between them. */
    void cut(AlignedText text, List<Part> parts) {
        if (byBeginning.isEmpty()) {
            Part.add(parts, text);
            return;
        }
        int[] chars = text.chars;
        int n = text.length;
        int done = 0;
        int spaces = 0; // a run of white space that has been walked through
        int spacesEnd = 0;
        int at = 0;
        while (at < n) {
            Entry entry = entry(chars, n, at);
            if (entry == null) {
                ++at;
                continue;
            }
            int start = at;
            int end = at + entry.text.length;
            at = end;
            AddedToken token = entry.token;
            if (token.singleWord
                    && (start > 0 && Letters.isWord(chars[start - 1]) || end < n && Letters.isWord(chars[end]))) {
                continue;
            }
            if (token.lstrip) { // but not what the token before has taken
                start = Math.max(start, done);
                while (start > done && Letters.isSpace(chars[start - 1])) {
                    --start;
                }
            }
            if (token.rstrip) {
                int from = end;
                end = from >= spaces && from < spacesEnd ? spacesEnd : from;
                while (end < n && Letters.isSpace(chars[end])) {
                    ++end;
                }
                spaces = from;
                spacesEnd = end;
            }
            if (done < start) {
                Part.add(parts, text.slice(done, start));
            }
            if (start > end) {
                throw Invalid.text("an added token lies in the white space that the one before it takes");
            }
            Part.add(parts, text.slice(start, end), token.id);
            done = end;
        }
        if (done < n) {
            Part.add(parts, text.slice(done, n));
        }
    }

    private Entry entry(int[] chars, int n, int at) {
        int c = chars[at];
        if (c < 128 ? !ascii[c] : !beyond) {
            return null;
        }
        Entry found = at + 1 < n ? longest(byBeginning.get(beginning(c, chars[at + 1])), chars, n, at) : null;
        return found != null ? found : longest(byBeginning.get(beginning(c, -1)), chars, n, at);
    }

    private static long beginning(int first, int second) {
        return (long) first << 32 | second & 0xFFFFFFFFL;
    }

    private static Entry longest(Entry[] entries, int[] chars, int n, int at) {
        if (entries == null) {
            return null;
        }
        for (Entry entry : entries) {
            int[] wanted = entry.text;
            int i = 1;
            if (wanted.length <= n - at) {
                while (i < wanted.length && wanted[i] == chars[at + i]) {
                    ++i;
                }
                if (i == wanted.length) {
                    return entry;
                }
            }
        }
        return null;
    }
}
