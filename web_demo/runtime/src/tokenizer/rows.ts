/** An encoding that is being put together. */

export interface RowToken {
  readonly id: number;
  type: number;
  start: number;
  end: number;
  /** The number of the word, undefined for special tokens around a text. */
  readonly word: number | undefined;
  readonly text: string;
}

export class Row {
  readonly tokens: RowToken[] = [];
  /** By the numbers of texts, the first token of each and the one behind its last. */
  readonly ranges = new Map<number, readonly [number, number]>();

  /** A token around a text. */
  addSpecial(id: number, type: number, text: string): void {
    this.tokens.push({ id, type, start: 0, end: 0, word: undefined, text });
  }

  setType(type: number): void {
    for (const token of this.tokens) {
      token.type = type;
    }
  }

  /** All of this is of text `number`. */
  setSequence(number: number, from = 0, to = this.tokens.length): void {
    this.ranges.set(number, [from, to]);
  }

  append(other: Row): void {
    const shift = this.tokens.length;
    for (const token of other.tokens) {
      this.tokens.push({ ...token });
    }
    for (const [number, [from, to]] of other.ranges) {
      this.ranges.set(number, [shift + from, shift + to]);
    }
  }

  encoding(): Encoding {
    const sequences: (number | null)[] = this.tokens.map(() => null);
    const count = Math.max(1, this.ranges.size);
    for (let number = 0; number < count; number++) {
      const [from, to] = this.ranges.get(number) ?? [0, this.tokens.length];
      sequences.fill(number, from, to);
    }
    return {
      ids: this.tokens.map(({ id }) => id),
      types: this.tokens.map(({ type }) => type),
      starts: this.tokens.map(({ start }) => start),
      ends: this.tokens.map(({ end }) => end),
      words: this.tokens.map(({ word }) => word ?? null),
      sequences,
    };
  }
}

/** A text, or two, as ids. All lists are of one length, an entry a token. */
export interface Encoding {
  readonly ids: readonly number[];
  /** 0 or 1, or what the tokenizer's template says. */
  readonly types: readonly number[];
  /** Where a token begins in the text it is of, in code points. Special tokens around a text have 0. */
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  /** The number of the word that a token is of, null for special tokens around a text. */
  readonly words: readonly (number | null)[];
  /** The number of the text that a token is of, 0 or 1; null for special tokens around a text. */
  readonly sequences: readonly (number | null)[];
}
