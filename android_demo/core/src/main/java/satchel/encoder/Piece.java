package satchel.encoder;

import satchel.tokenizer.Encoding;

/** Some of the tokens of an encoding, in their order: what a text or pair is cut to, special tokens included. */
final class Piece {
    final int[] ids;
    final int[] types;
    /** First and one past the last code point of a token in its text. */
    final int[] starts;
    final int[] ends;
    /** The number of a token's word, -1 where it has none. */
    final int[] words;
    /** Which text a token is of, -1 for special ones. */
    final int[] sequences;

    Piece(Encoding whole, int[] places) {
        ids = at(whole.ids, places);
        types = at(whole.typeIds, places);
        starts = at(whole.starts, places);
        ends = at(whole.ends, places);
        words = at(whole.words, places);
        sequences = at(whole.sequences, places);
    }

    private static int[] at(int[] values, int[] places) {
        int[] chosen = new int[places.length];
        for (int i = 0; i < places.length; ++i) {
            chosen[i] = values[places[i]];
        }
        return chosen;
    }

    /** The places of the tokens of a text. */
    int[] placesOf(int sequence) {
        int count = 0;
        for (int owner : sequences) {
            count += owner == sequence ? 1 : 0;
        }
        int[] places = new int[count];
        for (int place = sequences.length - 1; place >= 0; --place) {
            if (sequences[place] == sequence) {
                places[--count] = place;
            }
        }
        return places;
    }
}
