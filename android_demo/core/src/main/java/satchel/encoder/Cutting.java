package satchel.encoder;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import satchel.tokenizer.Encoding;

/**
 * Cuts what is too long for a model, as the tokenizers library does. Special tokens around the texts stay in every
 * piece; since they stand there already, a piece is the whole without the tokens of its texts that it lacks.
 */
final class Cutting {
    private Cutting() {}

    /** How many tokens are special, those that a text itself names not among them. */
    static int specials(Encoding whole) {
        return whole.ids.length - count(whole, 0) - count(whole, 1);
    }

    /** The beginning of a text or pair with at most {@code limit} tokens, or its end where {@code left}. */
    static Piece first(Encoding whole, int limit, boolean left) {
        int room = Math.max(0, limit - specials(whole));
        int first = count(whole, 0);
        int second = count(whole, 1);
        int[] kept = second == 0 && first + second > room ? new int[] {room, 0} : longestFirst(first, second, room);
        int from = left ? first - kept[0] : 0;
        int pairFrom = left ? second - kept[1] : 0;
        return piece(whole, from, from + kept[0], pairFrom, pairFrom + kept[1]);
    }

    /** Whether {@link #first} leaves something out. */
    static boolean cuts(Encoding whole, int limit) {
        return whole.ids.length > limit && count(whole, 0) + count(whole, 1) > 0;
    }

    /** How many tokens each text of a pair keeps of {@code room}: the longer one is cut first. */
    private static int[] longestFirst(int first, int second, int room) {
        if (first + second <= room) {
            return new int[] {first, second};
        }
        int shorter = Math.min(first, second);
        int longer = shorter > room ? shorter : Math.max(shorter, room - shorter);
        if (shorter + longer > room) {
            shorter = room / 2;
            longer = shorter + room % 2;
        }
        int ofFirst = first > second ? longer : shorter;
        int ofSecond = first > second ? shorter : longer;
        return new int[] {Math.min(first, ofFirst), Math.min(second, ofSecond)};
    }

    /**
     * A text in as many pieces of at most {@code limit} tokens as it takes, or the second text of a pair, of which
     * the first stands in every piece. Neighbours share {@code overlap} tokens, fewer than a piece has room for.
     */
    static List<Piece> pieces(Encoding whole, int limit, int overlap, boolean pair) {
        int first = count(whole, 0);
        int cut = pair ? count(whole, 1) : first;
        int room = limit - specials(whole) - (pair ? first : 0);
        List<Piece> pieces = new ArrayList<Piece>();
        for (int start = 0; pieces.isEmpty() || start + overlap < cut; start += room - overlap) {
            int stop = Math.min(cut, start + room);
            pieces.add(pair ? piece(whole, 0, first, start, stop) : piece(whole, start, stop, 0, 0));
        }
        return pieces;
    }

    private static Piece piece(Encoding whole, int from, int to, int pairFrom, int pairTo) {
        int size = whole.ids.length;
        int[] kept = new int[size];
        int count = 0;
        int[] seen = new int[2];
        for (int place = 0; place < size; ++place) {
            int owner = whole.sequences[place];
            if (owner < 0) {
                kept[count++] = place;
                continue;
            }
            int number = seen[owner]++;
            if (owner == 0 ? from <= number && number < to : pairFrom <= number && number < pairTo) {
                kept[count++] = place;
            }
        }
        return new Piece(whole, Arrays.copyOf(kept, count));
    }

    private static int count(Encoding whole, int sequence) {
        int count = 0;
        for (int owner : whole.sequences) {
            count += owner == sequence ? 1 : 0;
        }
        return count;
    }
}
