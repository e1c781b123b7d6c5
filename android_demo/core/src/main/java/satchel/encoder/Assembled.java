package satchel.encoder;

import java.util.Arrays;
import java.util.List;

/**
 * The tokens of a long text, read in pieces that overlap, as one row again: without special tokens and a pair's
 * first text. A token in two pieces counts where it has more of the text on either side.
 */
final class Assembled {
    final int[] starts;
    final int[] ends;
    final int[] words;
    /** Logits [tokens, width], row by row. */
    final float[] logits;
    final int width;

    /** {@code logits} are those of every piece, [its tokens, width]; {@code sequence} is 1 for pairs, else 0. */
    Assembled(List<Piece> pieces, List<float[]> logits, int overlap, int sequence) {
        int[][] chosen = new int[pieces.size()][];
        int count = 0;
        int columns = 0;
        for (int number = 0; number < chosen.length; ++number) {
            Piece piece = pieces.get(number);
            int[] places = piece.placesOf(sequence);
            int from = number > 0 ? Math.min(overlap / 2, places.length) : 0;
            int shared = number + 1 < chosen.length ? overlap - overlap / 2 : 0;
            int to = Math.max(from, places.length - shared);
            chosen[number] = Arrays.copyOfRange(places, from, to);
            count += chosen[number].length;
            columns = piece.ids.length > 0 ? logits.get(number).length / piece.ids.length : columns;
        }
        starts = new int[count];
        ends = new int[count];
        words = new int[count];
        width = columns;
        this.logits = new float[count * width];
        int row = 0;
        for (int number = 0; number < chosen.length; ++number) {
            Piece piece = pieces.get(number);
            for (int place : chosen[number]) {
                starts[row] = piece.starts[place];
                ends[row] = piece.ends[place];
                words[row] = piece.words[place];
                System.arraycopy(logits.get(number), place * width, this.logits, row * width, width);
                ++row;
            }
        }
    }
}
