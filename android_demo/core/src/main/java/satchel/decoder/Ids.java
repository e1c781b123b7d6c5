package satchel.decoder;

import satchel.SatchelException;

/** Ids of tokens from outside, checked before they reach a graph. Knows no text. */
final class Ids {
    private Ids() {}

    /** Refuses what is no text of this vocabulary: a graph would wrap negative ids and read zeros beyond the last. */
    static int[] checked(int[] ids, int vocabSize) {
        if (ids.length == 0) {
            throw SatchelException.usage("the prompt is empty");
        }
        for (int place = 0; place < ids.length; ++place) {
            if (ids[place] < 0 || ids[place] >= vocabSize) {
                throw SatchelException.usage(
                        "id " + ids[place] + " at index " + place + " is outside 0.." + (vocabSize - 1), "TOKEN_ID");
            }
        }
        return ids;
    }

    /** The longest of some rows. */
    static int longest(int[][] rows) {
        int longest = 0;
        for (int[] row : rows) {
            longest = Math.max(longest, row.length);
        }
        return longest;
    }
}
