/** Sets of code points as ranges in order, and how a regular expression of JavaScript writes them. */
import { categoryTest, isPatternWord, isSpace } from "./letters.js";

export const LAST_CODE = 0x10ffff;

/** Neighbouring numbers are the first and last of a range; ranges are in order and do not touch. */
export type CharSet = readonly number[];

export const NOTHING: CharSet = [];

export function range(first: number, last = first): CharSet {
  return [first, last];
}

export function union(...sets: CharSet[]): CharSet {
  const pairs: [number, number][] = [];
  for (const set of sets) {
    for (let i = 0; i < set.length; i += 2) {
      pairs.push([set[i]!, set[i + 1]!]);
    }
  }
  pairs.sort((a, b) => a[0] - b[0]);
  const out: number[] = [];
  for (const [first, last] of pairs) {
    if (out.length > 0 && first <= out.at(-1)! + 1) {
      out[out.length - 1] = Math.max(out.at(-1)!, last);
    } else {
      out.push(first, last);
    }
  }
  return out;
}

export function negated(set: CharSet): CharSet {
  const out: number[] = [];
  let next = 0;
  for (let i = 0; i < set.length; i += 2) {
    if (set[i]! > next) {
      out.push(next, set[i]! - 1);
    }
    next = set[i + 1]! + 1;
  }
  if (next <= LAST_CODE) {
    out.push(next, LAST_CODE);
  }
  return out;
}

export function both(a: CharSet, b: CharSet): CharSet {
  return negated(union(negated(a), negated(b)));
}

function where(test: (code: number) => boolean): CharSet {
  const out: number[] = [];
  let inside = false;
  for (let code = 0; code <= LAST_CODE + 1; code++) {
    const fits = code <= LAST_CODE && test(code);
    if (fits !== inside) {
      out.push(fits ? code : code - 1);
      inside = fits;
    }
  }
  return out;
}

const known = new Map<string, CharSet>();

function remembered(name: string, test: (code: number) => boolean): CharSet {
  let set = known.get(name);
  if (set === undefined) {
    set = where(test);
    known.set(name, set);
  }
  return set;
}

export const spaces = (): CharSet => remembered("\\s", isSpace);
export const words = (): CharSet => remembered("\\w", isPatternWord);

/** The characters of a category or of a property of its own; undefined for no such name. */
export function property(name: string): CharSet | undefined {
  const plain = name.toLowerCase().replaceAll(/[ _-]/g, "");
  if (plain === "whitespace" || plain === "space") {
    return spaces();
  }
  if (plain === "any") {
    return range(0, LAST_CODE);
  }
  const test = categoryTest(name);
  if (test !== undefined) {
    return remembered(`\\p{${name.toLowerCase()}}`, test);
  }
  return SCRIPTS[plain];
}

/** Blocks that do not change, as ranges: Han and its like are asked for by some patterns. */
const SCRIPTS: Readonly<Record<string, CharSet>> = {};

/** The set as a class of a regular expression with the flag u. */
export function written(set: CharSet): string {
  if (set.length === 0) {
    return "(?!)";
  }
  let text = "";
  for (let i = 0; i < set.length; i += 2) {
    text += escaped(set[i]!) + (set[i + 1]! > set[i]! ? `-${escaped(set[i + 1]!)}` : "");
  }
  return `[${text}]`;
}

export function escaped(code: number): string {
  return `\\u{${code.toString(16)}}`;
}
