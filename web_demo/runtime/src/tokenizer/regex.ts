/**
 * Regular expressions of tokenizer.json, whose dialect is Oniguruma's, in that of JavaScript: characters by our own tables,
 * possessive repeats and atomic groups through look-ahead. What is not known here is refused.
 */
import {
  both,
  type CharSet,
  escaped,
  LAST_CODE,
  negated,
  property,
  range,
  spaces,
  union,
  words,
  written,
} from "./char-set.js";
import { invalid } from "./invalid.js";

const CONTROLS: Readonly<Record<string, number>> = { n: 10, r: 13, t: 9, f: 12, v: 11, a: 7, e: 27, "0": 0 };
const POSIX: Readonly<Record<string, () => CharSet>> = {
  alpha: () => property("L")!,
  digit: () => property("Nd")!,
  alnum: () => union(property("L")!, property("Nd")!),
  upper: () => property("Lu")!,
  lower: () => property("Ll")!,
  punct: () => property("P")!,
  space: spaces,
  word: words,
};
const NOT_BEHIND_A_LINE = "(?<![^\\n])";
const BEFORE_A_LINE = "(?![^\\n])";

/** A pattern as a regular expression of JavaScript that finds all matches. */
export function translated(pattern: string): RegExp {
  const parser = new Parser(pattern);
  const source = parser.alternatives();
  if (!parser.atEnd) {
    throw parser.refused("an unopened group");
  }
  return new RegExp(source, "gu");
}

class Parser {
  private readonly chars: string[];
  private at = 0;
  private groups = 0;
  private anyCase = false;

  constructor(private readonly pattern: string) {
    this.chars = [...pattern];
  }

  get atEnd(): boolean {
    return this.at >= this.chars.length;
  }

  refused(what: string): Error {
    return invalid(
      `the pattern ${JSON.stringify(this.pattern).slice(0, 160)} has ${what}, which is not known`,
    );
  }

  alternatives(): string {
    let source = this.sequence();
    while (this.next("|")) {
      source += `|${this.sequence()}`;
    }
    return source;
  }

  private sequence(): string {
    let source = "";
    while (!this.atEnd && this.peek() !== "|" && this.peek() !== ")") {
      source += this.repeated(this.atom());
    }
    return source;
  }

  private repeated(atom: string): string {
    let count = "";
    if (this.peek() === "{") {
      const found = /^\{(\d*)(,?)(\d*)\}/.exec(this.chars.slice(this.at, this.at + 16).join(""));
      if (found === null || (found[1] === "" && found[3] === "")) {
        return atom;
      }
      count = `{${found[1] || 0}${found[2]}${found[3]}}`;
      this.at += found[0].length;
    } else if (["?", "*", "+"].includes(this.peek())) {
      count = this.take();
    } else {
      return atom;
    }
    if (this.next("?")) {
      return this.repeated(`(?:${atom})${count}?`);
    }
    if (!count.startsWith("{") && this.next("+")) {
      return this.atomic(`(?:${atom})${count}`);
    }
    return this.repeated(`(?:${atom})${count}`);
  }

  /** What matched once is not given back. */
  private atomic(source: string): string {
    this.groups += 1;
    const name = `a${this.groups}`;
    return `(?:(?=(?<${name}>${source}))\\k<${name}>)`;
  }

  private atom(): string {
    const char = this.take();
    switch (char) {
      case "(":
        return this.group();
      case "[":
        return written(this.class());
      case ".":
        return "[^\\n]";
      case "^":
        return NOT_BEHIND_A_LINE;
      case "$":
        return BEFORE_A_LINE;
      case "\\":
        return this.escape();
      case "*":
      case "+":
      case "?":
        throw this.refused(`a ${char} behind nothing`);
      default:
        return this.literal(char.codePointAt(0)!);
    }
  }

  private literal(code: number): string {
    if (!this.anyCase) {
      return escaped(code);
    }
    const letter = String.fromCodePoint(code);
    const [small, large] = [letter.toLowerCase(), letter.toUpperCase()];
    if (code > 127) {
      throw this.refused("letters beyond ASCII in either case");
    }
    const more = { s: "\u017f", k: "\u212a" }[small] ?? "";
    return small === large ? escaped(code) : `[${small}${large}${more}]`;
  }

  private group(): string {
    if (!this.next("?")) {
      throw this.refused("a group that is kept"); // back references count them
    }
    if (this.next(">")) {
      return this.atomic(this.closed());
    }
    for (const kind of [":", "=", "!", "<=", "<!"]) {
      if (this.starts(kind)) {
        this.at += kind.length;
        return `(?${kind}${this.closed()})`;
      }
    }
    const before = this.anyCase;
    if (this.starts("i:") || this.starts("-i:")) {
      this.anyCase = this.peek() === "i";
      this.at += this.anyCase ? 2 : 3;
      const inner = this.closed();
      this.anyCase = before;
      return `(?:${inner})`;
    }
    throw this.refused("a kind of group");
  }

  private closed(): string {
    const inner = this.alternatives();
    if (!this.next(")")) {
      throw this.refused("an unclosed group");
    }
    return inner;
  }

  private escape(): string {
    const char = this.peek();
    const anchor = { A: "(?<![^])", z: "(?![^])", G: undefined }[char];
    if (anchor !== undefined) {
      this.at++;
      return anchor;
    }
    const set = this.escapedSet();
    return typeof set === "number" ? this.literal(set) : written(set);
  }

  /** Behind a backslash: a character, or a set of them. */
  private escapedSet(): number | CharSet {
    const char = this.take();
    switch (char) {
      case "s":
        return spaces();
      case "S":
        return negated(spaces());
      case "d":
        return property("Nd")!;
      case "D":
        return negated(property("Nd")!);
      case "w":
        return words();
      case "W":
        return negated(words());
      case "p":
      case "P":
        return this.property(char === "P");
      case "x":
      case "u":
        return this.code(char);
      default:
    }
    if (Object.hasOwn(CONTROLS, char)) {
      return CONTROLS[char]!;
    }
    if (/[A-Za-z0-9]/.test(char)) {
      throw this.refused(`\\${char}`);
    }
    return char.codePointAt(0)!;
  }

  private property(not: boolean): CharSet {
    const found = /^\{(\^?)([^}]*)\}/.exec(this.chars.slice(this.at, this.at + 48).join(""));
    const set = found === null ? undefined : property(found[2]!);
    if (found === null || set === undefined) {
      throw this.refused(`the property ${found?.[2] ?? ""}`);
    }
    this.at += found[0].length;
    return not !== (found[1] === "^") ? negated(set) : set;
  }

  private code(kind: string): number {
    const rest = this.chars.slice(this.at, this.at + 12).join("");
    const digits = kind === "u" ? /^([0-9A-Fa-f]{4})/ : /^(?:\{([0-9A-Fa-f]{1,6})\}|([0-9A-Fa-f]{2}))/;
    const found = digits.exec(rest);
    const code = found === null ? Number.NaN : Number.parseInt(found[1] ?? found[2]!, 16);
    if (found === null || code > LAST_CODE) {
      throw this.refused(`\\${kind} without a code`);
    }
    this.at += found[0].length;
    return code;
  }

  private class(): CharSet {
    const not = this.next("^");
    let whole: CharSet | undefined;
    let set: CharSet = [];
    for (let first = true; ; first = false) {
      if (this.atEnd) {
        throw this.refused("an unclosed class");
      }
      if (!first && this.next("]")) {
        break;
      }
      if (this.starts("&&")) {
        this.at += 2;
        whole = whole === undefined ? set : both(whole, set);
        set = [];
        continue;
      }
      set = union(set, this.classItem());
    }
    whole = whole === undefined ? set : both(whole, set);
    return not ? negated(whole) : whole;
  }

  private classItem(): CharSet {
    if (this.starts("[:")) {
      const found = /^\[:(\^?)([a-z]+):\]/.exec(this.chars.slice(this.at, this.at + 16).join(""));
      const named = found === null ? undefined : POSIX[found[2]!];
      if (found === null || named === undefined) {
        throw this.refused("a class by its name");
      }
      this.at += found[0].length;
      return found[1] === "^" ? negated(named()) : named();
    }
    if (this.next("[")) {
      return this.class();
    }
    const first = this.classChar();
    if (typeof first !== "number") {
      return first;
    }
    if (this.peek() === "-" && this.chars[this.at + 1] !== "]" && this.chars[this.at + 1] !== undefined) {
      this.at++;
      const last = this.classChar();
      if (typeof last !== "number" || last < first) {
        throw this.refused("a range without an end");
      }
      return this.cased(first, last);
    }
    return this.cased(first, first);
  }

  /** A range; where case does not matter with the letters of the other case. */
  private cased(first: number, last: number): CharSet {
    const set = range(first, last);
    if (!this.anyCase) {
      return set;
    }
    if (last > 127) {
      throw this.refused("letters beyond ASCII in either case");
    }
    const others: CharSet[] = [set];
    for (let code = first; code <= last; code++) {
      const letter = String.fromCodePoint(code);
      others.push(range(letter.toLowerCase().codePointAt(0)!), range(letter.toUpperCase().codePointAt(0)!));
      const more = { s: 0x17f, k: 0x212a }[letter.toLowerCase()];
      if (more !== undefined) {
        others.push(range(more));
      }
    }
    return union(...others);
  }

  private classChar(): number | CharSet {
    const char = this.take();
    return char === "\\" ? this.escapedSet() : char.codePointAt(0)!;
  }

  private peek(): string {
    return this.chars[this.at] ?? "";
  }

  private take(): string {
    const char = this.chars[this.at++];
    if (char === undefined) {
      throw this.refused("an end in its middle");
    }
    return char;
  }

  private next(char: string): boolean {
    const there = this.peek() === char;
    this.at += there ? 1 : 0;
    return there;
  }

  private starts(text: string): boolean {
    return [...text].every((char, i) => this.chars[this.at + i] === char);
  }
}
