/** Scores of tokens become spans of the original text. Knows no model. Places are code points until a span is made. */

import type { Answer, Span } from "../models.js";
import { falling } from "../order.js";
import { isBlank } from "../text/blank.js";
import { categoryTest } from "../tokenizer/letters.js";
import type { Encoding } from "../tokenizer/rows.js";
import { firstHighest } from "./scores.js";
import { isWide } from "./wide.js";

const OUTSIDE = "O"; // the label of what is in no span
const BEGIN = "BSUW"; // begin, single, unit, whole
const INSIDE = "IM";
const LAST = "ELSUW"; // end, last, and those of one word alone
// Thai, Lao, Tibetan, Myanmar and Khmer: letters that are not wide, in scripts without spaces.
const UNSPACED = [
  [0x0e00, 0x0fff],
  [0x1000, 0x109f],
  [0x1780, 0x17ff],
] as const;
const BYTES = 4; // of a character, at most
const JOINER = "\u200d";

const isMarkCode = categoryTest("M")!;
const isLetterMarkNumber = ["L", "M", "N"].map((name) => categoryTest(name)!);
const isMark = (letter: string): boolean => isMarkCode(letter.codePointAt(0)!);

/** The tokens of a text that was read in pieces: their places, numbers of words and rows of logits. */
export interface Assembled {
  readonly starts: readonly number[];
  readonly ends: readonly number[];
  readonly words: readonly (number | null)[];
  readonly rows: readonly Float32Array[];
}

/**
 * Of the first text or the second, without special tokens. A token in two pieces counts where it has more of the text on either side.
 */
export function assembled(
  pieces: readonly Encoding[],
  logits: readonly (readonly Float32Array[])[],
  overlap: number,
  text: 0 | 1 = 0,
): Assembled {
  const [starts, ends, words, rows]: [number[], number[], (number | null)[], Float32Array[]] = [
    [],
    [],
    [],
    [],
  ];
  pieces.forEach((piece, number) => {
    let places = piece.sequences.flatMap((owner, place) => (owner === text ? [place] : []));
    if (number + 1 < pieces.length) {
      places = places.slice(0, Math.max(0, places.length - (overlap - Math.floor(overlap / 2))));
    }
    if (number > 0) {
      places = places.slice(Math.floor(overlap / 2));
    }
    for (const place of places) {
      starts.push(piece.starts[place]!);
      ends.push(piece.ends[place]!);
      words.push(piece.words[place]!);
      rows.push(logits[number]![place]!);
    }
  });
  return { starts, ends, words, rows };
}

/** Spans from the probabilities of tokens. A word has the label and score of its first token. */
export function mergeLabels(text: string, tokens: Assembled, names: readonly string[]): Span[] {
  const letters = [...text];
  const tags = tagsOf(names);
  const spans: { kind: string; start: number; end: number; scores: number[] }[] = [];
  let going = OUTSIDE; // the kind of a span that the next word may continue
  for (const { start, end, row } of wordsOf(letters, tokens)) {
    const best = firstHighest(row);
    const { prefix, kind } = tags[best]!;
    const last = spans.at(-1);
    if (kind === going && !isOneOf(prefix, BEGIN) && kind !== OUTSIDE && last !== undefined) {
      last.end = end;
      last.scores.push(row[best]!);
    } else if (kind !== OUTSIDE) {
      spans.push({ kind, start, end, scores: [row[best]!] });
    }
    going = isOneOf(prefix, LAST) ? OUTSIDE : kind;
  }
  const units = unitsOf(letters);
  return spans.map(({ kind, start, end, scores }) => ({
    label: kind,
    text: letters.slice(start, end).join(""),
    start: units[start]!,
    end: units[end]!,
    score: scores.reduce((sum, score) => sum + score, 0) / scores.length,
  }));
}

const isOneOf = (prefix: string, letters: string): boolean => prefix !== "" && letters.includes(prefix);

/** Places in UTF-16 units of code points, and of the end. */
function unitsOf(letters: readonly string[]): number[] {
  const units = [0];
  for (const letter of letters) {
    units.push(units.at(-1)! + letter.length);
  }
  return units;
}

/** Prefix and kind of every label; the prefix is empty where the label is the kind. */
function tagsOf(names: readonly string[]): { prefix: string; kind: string }[] {
  // B- and I- always are prefixes. The letters of BIOES, BILOU and BMEWO are such only where the same kind has a B- or I-.
  const kinds = new Set(names.filter((name) => /^[BI]-/.test(name)).map((name) => name.slice(2)));
  return names.map((name) =>
    name[1] === "-" && (BEGIN + INSIDE + LAST).includes(name[0]!) && kinds.has(name.slice(2))
      ? { prefix: name[0]!, kind: name.slice(2) }
      : { prefix: "", kind: name },
  );
}

interface Word {
  readonly start: number;
  readonly end: number;
  readonly row: Float32Array;
}

function wordsOf(letters: readonly string[], { starts, ends, words, rows }: Assembled): Word[] {
  const found: Word[] = [];
  let last: number | null = null;
  rows.forEach((row, i) => {
    let [start, end] = trimmed(letters, starts[i]!, ends[i]!);
    const word = words[i]!;
    if (word === null || start === end) {
      return; // special, or nothing but white space
    }
    // Byte-level tokenizers split words before and after an accent that is a character.
    const accent = start > 0 && letters.slice(start - 1, start + 1).some(isMark);
    const before = found.at(-1);
    if (before !== undefined && (word === last || accent) && goesOn(letters, start, before.end)) {
      found[found.length - 1] = { ...before, end: Math.max(end, before.end) };
    } else {
      [start, end] = trimmed(letters, Math.max(start, before?.end ?? 0), end);
      if (start < end) {
        found.push({ start, end, row });
      }
    }
    last = word;
  });
  return found;
}

/** Whether a token at `start` belongs to the word before it, which ends at `end`. */
function goesOn(letters: readonly string[], start: number, end: number): boolean {
  if (start !== end) {
    return start < end; // bytes of one character
  }
  const [before, after] = [letters[end - 1]!, letters[start]!];
  if (before === JOINER || after === JOINER || isMark(after)) {
    return true;
  }
  const both = [before, after].map((letter) => letter.codePointAt(0)!);
  const plain = both.every((code) => isLetterMarkNumber.some((test) => test(code)));
  return plain && !both.some(isUnspaced);
}

/** Whether its script is written without spaces between words. */
function isUnspaced(code: number): boolean {
  return UNSPACED.some(([first, last]) => code >= first && code <= last) || isWide(code);
}

/** Without the spaces that some tokenizers count to a token, with the accents they drop; empty where nothing is left. */
function trimmed(letters: readonly string[], start: number, end: number): [number, number] {
  let [first, last] = [start, end];
  while (first < last && isBlank(letters[first]!)) {
    first += 1;
  }
  if (first === last) {
    return [start, start];
  }
  while (isBlank(letters[last - 1]!)) {
    last -= 1;
  }
  while (last < letters.length && isMark(letters[last]!)) {
    last += 1;
  }
  return [first, last];
}

/** The `top` likeliest spans of at most `longest` tokens, "no answer" among them. */
export function bestAnswers(
  context: string,
  tokens: Assembled,
  none: Float32Array,
  longest: number,
  top: number,
): Answer[] {
  const letters = [...context];
  const places = tokens.rows.map((_, i) => trimmed(letters, tokens.starts[i]!, tokens.ends[i]!));
  const chances = [0, 1].map((column) =>
    logSoftmax([none[column]!, ...tokens.rows.map((row) => row[column]!)]),
  );
  const unsaid = chances[0]![0]! + chances[1]![0]!;
  const out = Number.NEGATIVE_INFINITY;
  const chance = (column: number, token: number) =>
    places[token]![0] >= places[token]![1] ? out : chances[column]![token + 1]!;
  const candidates = [{ score: unsaid, first: 0, last: 0 }];
  const most = BYTES * top; // bytes of one character are tokens with the same place
  for (let length = 0; length < Math.min(longest, tokens.rows.length); length++) {
    const joint = Array.from({ length: tokens.rows.length - length }, (_, start) => ({
      start,
      score: chance(0, start) + chance(1, start + length),
    }));
    for (const { start, score } of joint.sort((a, b) => falling(a.score, b.score)).slice(0, most)) {
      const [first, last] = [places[start]![0], places[start + length]![1]];
      if (first < last) {
        candidates.push({ score, first, last });
      }
    }
  }
  candidates.sort((a, b) => falling(a.score, b.score) || a.first - b.first || a.last - b.last);
  const units = unitsOf(letters);
  const answers = new Map<string, Answer>();
  for (const { score, first, last } of candidates) {
    if (score === out || answers.size === top) {
      break;
    }
    const key = `${first} ${last}`;
    if (!answers.has(key)) {
      const text = letters.slice(first, last).join("");
      const about = {
        start: units[first]!,
        end: units[last]!,
        score: Math.exp(score),
        noAnswer: Math.exp(unsaid),
      };
      answers.set(key, { text, ...about });
    }
  }
  return [...answers.values()];
}

function logSoftmax(logits: readonly number[]): number[] {
  const best = logits.reduce((most, logit) => Math.max(most, logit), Number.NEGATIVE_INFINITY);
  const normaliser = Math.log(logits.reduce((sum, logit) => sum + Math.exp(logit - best), 0));
  return logits.map((logit) => logit - best - normaliser);
}
