/** What a text is cut at, or what is replaced in it; and what becomes of the matches when it is cut. */
import { type AlignedText, codePoints, type Piece, textOf } from "./aligned.js";
import { type Fields, unknown } from "./invalid.js";
import { isSpace, isWord } from "./letters.js";
import { translated } from "./regex.js";

/** Cuts a text at the matches; the pieces cover it. */
export type Pattern = (chars: readonly number[]) => Piece[];

/** Single characters of a kind, each a match of its own. */
export function characters(has: (code: number) => boolean): Pattern {
  return (chars) => {
    const pieces: Piece[] = [];
    let last = 0;
    chars.forEach((char, i) => {
      if (has(char)) {
        pieces.push({ start: last, end: i, match: false }, { start: i, end: i + 1, match: true });
        last = i + 1;
      }
    });
    pieces.push({ start: last, end: chars.length, match: false });
    return covering(pieces);
  };
}

/** Runs of letters, digits and underscores, and runs of what is neither those nor a space. */
export const WORDS: Pattern = (chars) => {
  const pieces: Piece[] = [];
  const kind = (code: number) => (isWord(code) ? 2 : isSpace(code) ? 0 : 1);
  for (let at = 0; at < chars.length; ) {
    const start = at;
    const own = kind(chars[at]!);
    while (at < chars.length && kind(chars[at]!) === own) {
      at++;
    }
    pieces.push({ start, end: at, match: own > 0 });
  }
  return covering(pieces);
};

/** The matches of a regular expression. */
export function regex(pattern: string): Pattern {
  const expression = translated(pattern);
  return (chars) => {
    const text = textOf(chars);
    const places = placesOf(text, chars.length);
    const pieces: Piece[] = [];
    let last = 0;
    for (const { index, 0: found } of text.matchAll(expression)) {
      const [start, end] = [places(index), places(index + found.length)];
      pieces.push({ start: last, end: start, match: false }, { start, end, match: true });
      last = end;
    }
    pieces.push({ start: last, end: chars.length, match: false });
    return covering(pieces);
  };
}

/** A text as it stands. */
export function literal(content: string): Pattern {
  const wanted = codePoints(content);
  return (chars) => {
    const pieces: Piece[] = [];
    let last = 0;
    for (let at = 0; wanted.length > 0 && at + wanted.length <= chars.length; ) {
      if (wanted.every((char, i) => chars[at + i] === char)) {
        pieces.push(
          { start: last, end: at, match: false },
          { start: at, end: at + wanted.length, match: true },
        );
        at += wanted.length;
        last = at;
      } else {
        at++;
      }
    }
    pieces.push({ start: last, end: chars.length, match: false });
    return covering(pieces);
  };
}

/** From places in UTF-16 units to places in code points. */
function placesOf(text: string, count: number): (unit: number) => number {
  if (text.length === count) {
    return (unit) => unit;
  }
  const places = new Int32Array(text.length + 1);
  for (let unit = 0, point = 0; unit < text.length; point++) {
    places[unit] = point;
    unit += text.codePointAt(unit)! > 0xffff ? 2 : 1;
    places[unit] = point + 1;
  }
  return (unit) => places[unit]!;
}

/** Without empty pieces between others; an empty text is one piece. */
function covering(pieces: Piece[]): Piece[] {
  const some = pieces.filter(({ start, end, match }) => match || start < end);
  return some.length > 0 ? some : [{ start: 0, end: 0, match: false }];
}

/** The pattern of a step: a text as it stands, or a regular expression. */
export function patternOf(fields: Fields): Pattern {
  const pattern = fields.object("pattern");
  if (Object.keys(pattern.all).length === 1) {
    if (pattern.has("String")) {
      return literal(pattern.text("String"));
    }
    if (pattern.has("Regex")) {
      return regex(pattern.text("Regex"));
    }
  }
  throw fields.wrong("pattern", "a String or a Regex");
}

/** A part of a text: still to be cut, or the added token with this id. */
export interface Part {
  readonly text: AlignedText;
  readonly id: number | undefined;
}

export const BEHAVIORS = [
  "Removed",
  "Isolated",
  "MergedWithPrevious",
  "MergedWithNext",
  "Contiguous",
] as const;
export type Behavior = (typeof BEHAVIORS)[number];

export function behaviorOf(fields: Fields): Behavior {
  const name = fields.text("behavior");
  const known = BEHAVIORS.find((each) => each === name);
  if (known === undefined) {
    throw unknown("behavior", name);
  }
  return known;
}

/** The parts of a text; with `invert` what lies between the matches counts as the matches. */
export function split(
  text: AlignedText,
  pattern: Pattern,
  behavior: Behavior,
  invert = false,
): AlignedText[] {
  const pieces = pattern(text.chars);
  for (const piece of invert ? pieces : []) {
    piece.match = !piece.match;
  }
  const parts: AlignedText[] = [];
  for (let i = 0; i < pieces.length; ) {
    const first = pieces[i++]!;
    const next = () => i < pieces.length && pieces[i]!.match;
    if (behavior === "Contiguous") {
      while (i < pieces.length && next() === first.match) {
        i++;
      }
    } else if (behavior === "MergedWithPrevious") {
      // Only a match that follows something else joins it; of matches in a row the first alone does.
      i += !first.match && next() ? 1 : 0;
    } else if (behavior === "MergedWithNext") {
      i += first.match && i < pieces.length && !next() ? 1 : 0;
    } else if (behavior === "Removed" && first.match) {
      continue;
    }
    const { end } = pieces[i - 1]!;
    if (first.start < end) {
      parts.push(text.slice(first.start, end));
    }
  }
  return parts;
}
