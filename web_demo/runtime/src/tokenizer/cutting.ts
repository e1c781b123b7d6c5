/** Texts that are cut to a length, as the tokenizers library cuts them: pieces that may overlap, with special tokens around each. */
import { SatchelError } from "../errors.js";
import { Row } from "./rows.js";

/** What is cut where two texts are too long together. */
export type Side = "longest_first" | "only_first" | "only_second";

export interface Cut {
  /** Tokens at most, special ones among them. */
  readonly limit: number;
  /** How many tokens neighbouring pieces share. */
  readonly overlap?: number;
  readonly side?: Side;
  /** Whether the beginning goes, and not the end. */
  readonly left?: boolean;
}

/** The pieces of a text, or of two: of each piece the rows of its texts. `added` special tokens go around them. */
export function cutRows(rows: readonly Row[], added: number, cut: Cut): Row[][] {
  const { limit, overlap = 0, side = "longest_first", left = false } = cut;
  const room = Math.max(0, limit - added);
  const sizes = rows.map(({ tokens }) => tokens.length);
  const total = sizes.reduce((sum, size) => sum + size, 0);
  if (total <= room) {
    return [[...rows]];
  }
  if (side === "longest_first" || rows.length === 1) {
    const kept = rows.length === 1 ? [room] : shares(sizes[0]!, sizes[1]!, room);
    const pieces = rows.map((row, i) => pieced(row, kept[i]!, overlap, left));
    const count = Math.max(...pieces.map(({ length }) => length));
    return Array.from({ length: count }, (_, i) => pieces.map((each) => each[i] ?? each[0]!));
  }
  const place = side === "only_first" ? 0 : 1;
  const most = sizes[place]! - (total - room);
  if (most < 1) {
    throw SatchelError.usage(`a text of ${sizes[place]} tokens cannot be cut by ${total - room}`);
  }
  return pieced(rows[place]!, most, overlap, left).map((piece) =>
    rows.map((row, i) => (i === place ? piece : row)),
  );
}

/** How much of two texts is kept, of the longer one less. */
function shares(first: number, second: number, room: number): [number, number] {
  const [short, swapped] = [Math.min(first, second), first > second];
  let [one, other] = [short, short > room ? short : Math.max(short, room - short)];
  if (one + other > room) {
    one = Math.floor(room / 2);
    other = one + (room % 2);
  }
  return swapped ? [other, one] : [one, other];
}

/** Pieces of at most `most` tokens; all but the last, or with `left` the first, are as long. */
function pieced(row: Row, most: number, overlap: number, left: boolean): Row[] {
  const count = row.tokens.length;
  if (count <= most) {
    return [row];
  }
  const step = most - overlap;
  const ranges: [number, number][] = [];
  if (most === 0 || step < 1) {
    ranges.push([0, most]);
  } else if (left) {
    for (let end = count; ranges.at(-1)?.[0] !== 0; end -= step) {
      ranges.push([Math.max(0, end - most), end]);
    }
  } else {
    for (let start = 0; ranges.at(-1)?.[1] !== count; start += step) {
      ranges.push([start, Math.min(start + most, count)]);
    }
  }
  return ranges.map(([from, to]) => {
    const piece = new Row();
    for (const token of row.tokens.slice(from, to)) {
      piece.tokens.push({ ...token });
    }
    return piece;
  });
}
