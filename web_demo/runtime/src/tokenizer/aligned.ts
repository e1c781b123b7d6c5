/**
 * A text that is being normalised, by code points, and for each of them the range of the original text that it stands
 * for. Steps change it by `transform`, which says for each new character how it came about.
 */
import { tokenizerText } from "./invalid.js";

/** New characters and how each came about: see `Change.add`. */
export class Change {
  readonly chars: number[] = [];
  readonly kinds: number[] = [];

  /**
   * `kind` is 0 for a character that takes the place of the next old one, -n for one that swallows n more behind it,
   * 1 for one that is inserted.
   */
  add(char: number, kind: number): void {
    this.chars.push(char);
    this.kinds.push(kind);
  }
}

/** A text cut at the matches of a pattern: neighbouring spans that cover it. */
export interface Piece {
  readonly start: number;
  readonly end: number;
  match: boolean;
}

export function codePoints(text: string): number[] {
  const chars: number[] = [];
  for (let i = 0; i < text.length; i++) {
    const code = text.codePointAt(i)!;
    chars.push(code);
    if (code > 0xffff) {
      i++;
    }
  }
  return chars;
}

/** The text of code points. */
export function textOf(chars: readonly number[], start = 0, end = chars.length): string {
  let text = "";
  for (let i = start; i < end; i += 4096) {
    text += String.fromCodePoint(...chars.slice(i, Math.min(end, i + 4096)));
  }
  return text;
}

/** How many bytes a character has in UTF-8. */
export function bytesOf(code: number): number {
  return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}

export class AlignedText {
  private constructor(
    public chars: number[],
    public starts: number[],
    public ends: number[],
    /** What part of the original text this is a part of. */
    readonly from: number,
    readonly size: number,
  ) {}

  static of(text: string): AlignedText {
    const chars = codePoints(text);
    const starts = chars.map((_, i) => i);
    const ends = chars.map((_, i) => i + 1);
    return new AlignedText(chars, starts, ends, 0, chars.length);
  }

  get length(): number {
    return this.chars.length;
  }

  /** A part of this text, with characters of its own. */
  slice(a: number, b: number): AlignedText {
    if (a >= b) {
      return new AlignedText([], [], [], this.from + a, 0);
    }
    const { starts, ends } = this;
    return new AlignedText(
      this.chars.slice(a, b),
      starts.slice(a, b),
      ends.slice(a, b),
      starts[a]!,
      ends[b - 1]! - starts[a]!,
    );
  }

  /** Whether a step that changes nothing would leave every character where it is. */
  get isAligned(): boolean {
    return this.length === 0 || this.starts[0] !== this.ends[0];
  }

  /**
   * The whole text becomes `change`, of which `removed` characters were left out at the beginning. Characters that were
   * inserted at the very beginning keep their places; what is written then lies behind them.
   */
  transform(change: Change, removed = 0): void {
    let [a, b] = [0, this.length];
    if (this.size === 0) {
      b = 0;
    } else if (b === 0) {
      return;
    } else {
      while (a < b && this.starts[a] === this.ends[a]) {
        a++;
      }
    }
    this.replaceRange(a, b, change, removed);
  }

  private replaceRange(a: number, b: number, change: Change, removed: number): void {
    const { starts, ends, from, length } = this;
    const newStarts = starts.slice(0, a);
    const newEnds = ends.slice(0, a);
    let at = Math.min(a + removed, b);
    for (const kind of change.kinds) {
      if (kind > 0) {
        // Inserted: it stands for what the character before it stands for.
        newStarts.push(at < 1 ? from : starts[at - 1]!);
        newEnds.push(at < 1 ? from : ends[at - 1]!);
        continue;
      }
      if (at >= length) {
        throw tokenizerText("its characters lose their places in normalisation");
      }
      newStarts.push(starts[at]!);
      newEnds.push(ends[at]!);
      at = Math.min(at + 1 - kind, b);
    }
    this.chars = [...this.chars.slice(0, a), ...change.chars, ...this.chars.slice(b)];
    this.starts = [...newStarts, ...starts.slice(b)];
    this.ends = [...newEnds, ...ends.slice(b)];
  }

  /** Every match becomes `content`, which stands for what the last character up to the match's end stands for. */
  replace(pieces: readonly Piece[], content: readonly number[]): void {
    const { chars, starts, ends, from } = this;
    const [newChars, newStarts, newEnds]: number[][] = [[], [], []];
    for (const { start, end, match } of pieces) {
      if (match) {
        for (const char of content) {
          newChars!.push(char);
          newStarts!.push(end < 1 ? from : starts[end - 1]!);
          newEnds!.push(end < 1 ? from : ends[end - 1]!);
        }
      } else {
        for (let i = start; i < end; i++) {
          newChars!.push(chars[i]!);
          newStarts!.push(starts[i]!);
          newEnds!.push(ends[i]!);
        }
      }
    }
    [this.chars, this.starts, this.ends] = [newChars!, newStarts!, newEnds!];
  }

  /** Writes `content` in front, standing for what the first character stands for; an empty text stays empty. */
  prepend(content: readonly number[]): void {
    if (this.length === 0) {
      return;
    }
    const change = new Change();
    content.forEach((char, i) => {
      change.add(char, i === 0 ? 0 : 1);
    });
    change.add(this.chars[0]!, 1);
    this.replaceRange(0, 1, change, 0);
  }

  text(start = 0, end = this.length): string {
    return textOf(this.chars, start, end);
  }
}
