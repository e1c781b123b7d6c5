/**
 * A JSON text, read as strictly as Python's runtime does: no key twice in one object, no NaN, no half of a pair of
 * surrogates. `JSON.parse` passes over the first, and over the difference between 1 and 1.0.
 */

/** A number that was written with a point or an exponent. */
export class Real {
  constructor(readonly value: number) {}
}

export type Tree = null | boolean | string | number | bigint | Real | Tree[] | Map<string, Tree>;

const DEEPEST = 900;
const LONGEST_NUMBER = 24;
const NUMBER = /-?(?:0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?/y;
const PLAIN = /[ !#-[\]-\uffff]*/y; // no quote, backslash or control character
const LONE = /[\ud800-\udfff]/u;
const SPACE = /[ \t\n\r]*/y;
const ESCAPES: Record<string, string> = {
  '"': '"',
  "\\": "\\",
  "/": "/",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
};
const WORDS: [string, null | boolean][] = [
  ["null", null],
  ["true", true],
  ["false", false],
];

/** The value of a JSON text; a SyntaxError says what is wrong. */
export function parseStrictly(text: string): Tree {
  const reader = new Reader(text);
  const value = reader.value(0);
  reader.end();
  return value;
}

/** A tree as ordinary values: maps as objects, all numbers as numbers. */
export function plain(tree: Tree): unknown {
  if (tree instanceof Map) {
    const entries = [...tree].map(([key, value]) => [key, plain(value)] as const);
    return Object.assign(Object.create(null), Object.fromEntries(entries)) as unknown;
  }
  if (Array.isArray(tree)) {
    return tree.map(plain);
  }
  return tree instanceof Real ? tree.value : tree;
}

class Reader {
  private at = 0;

  constructor(private readonly text: string) {
    if (text.startsWith("\ufeff")) {
      throw new SyntaxError("it begins with a BOM");
    }
  }

  value(depth: number): Tree {
    if (depth > DEEPEST) {
      throw new SyntaxError(`it is nested more than ${DEEPEST} deep`);
    }
    this.matched(SPACE);
    const letter = this.text[this.at];
    if (letter === "{") {
      return this.object(depth);
    }
    if (letter === "[") {
      return this.array(depth);
    }
    if (letter === '"') {
      return this.string();
    }
    for (const [word, value] of WORDS) {
      if (this.text.startsWith(word, this.at)) {
        this.at += word.length;
        return value;
      }
    }
    return this.number();
  }

  end(): void {
    this.matched(SPACE);
    if (this.at < this.text.length) {
      throw this.wrong("more behind its end");
    }
  }

  private object(depth: number): Map<string, Tree> {
    const map = new Map<string, Tree>();
    this.items("}", () => {
      if (this.text[this.at] !== '"') {
        throw this.wrong("no key");
      }
      const key = this.string();
      this.matched(SPACE);
      this.expect(":");
      const value = this.value(depth + 1);
      if (map.has(key)) {
        throw new SyntaxError("a key occurs twice in one object");
      }
      map.set(key, value);
    });
    return map;
  }

  private array(depth: number): Tree[] {
    const items: Tree[] = [];
    this.items("]", () => items.push(this.value(depth + 1)));
    return items;
  }

  private items(end: string, item: () => void): void {
    this.at += 1;
    this.matched(SPACE);
    if (this.text[this.at] === end) {
      this.at += 1;
      return;
    }
    for (;;) {
      this.matched(SPACE);
      item();
      this.matched(SPACE);
      if (this.text[this.at] !== ",") {
        this.expect(end);
        return;
      }
      this.at += 1;
    }
  }

  private string(): string {
    this.at += 1;
    let text = "";
    for (;;) {
      text += this.matched(PLAIN);
      const letter = this.text[this.at];
      if (letter === '"') {
        this.at += 1;
        break;
      }
      if (letter !== "\\") {
        throw this.wrong(letter === undefined ? "no end of a text" : "a control character in a text");
      }
      text += this.escape();
    }
    if (LONE.test(text)) {
      throw new SyntaxError("a text has half a pair of surrogates");
    }
    return text;
  }

  private escape(): string {
    const letter = this.text[this.at + 1] ?? "";
    const code = this.text.slice(this.at + 2, this.at + 6);
    if (letter === "u" && /^[0-9a-fA-F]{4}$/.test(code)) {
      this.at += 6;
      return String.fromCharCode(Number.parseInt(code, 16));
    }
    const meant = ESCAPES[letter];
    if (meant === undefined) {
      throw this.wrong("an unknown escape");
    }
    this.at += 2;
    return meant;
  }

  private number(): Tree {
    NUMBER.lastIndex = this.at;
    const match = NUMBER.exec(this.text);
    if (match === null) {
      const word = /^-?\w+/.exec(this.text.slice(this.at, this.at + 20))?.[0];
      throw this.wrong(word === undefined ? "no value" : `${word}, which is no value`);
    }
    const [digits] = match;
    this.at += digits.length;
    if (match[1] !== undefined || match[2] !== undefined) {
      if (!Number.isFinite(Number(digits))) {
        throw new SyntaxError(`${digits} is too large`);
      }
      return new Real(Number(digits));
    }
    if (digits.length > LONGEST_NUMBER) {
      throw new SyntaxError(`a number has ${digits.length} digits`);
    }
    return Number.isSafeInteger(Number(digits)) ? Number(digits) : BigInt(digits);
  }

  private matched(pattern: RegExp): string {
    pattern.lastIndex = this.at;
    const found = pattern.exec(this.text)?.[0] ?? "";
    this.at += found.length;
    return found;
  }

  private expect(letter: string): void {
    if (this.text[this.at] !== letter) {
      throw this.wrong(`no "${letter}"`);
    }
    this.at += 1;
  }

  private wrong(what: string): SyntaxError {
    return new SyntaxError(`there is ${what} at character ${this.at}`);
  }
}
