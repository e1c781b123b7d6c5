/**
 * What kind of character a code point is, as each step of a tokenizer sees it. From tables of our own: platforms know
 * different versions of Unicode, and steps of the tokenizers library do too.
 */
import { numbers, Runs } from "./runs.js";
import { CATEGORIES, DECOMPOSING, LOWER, RANKS, SETS } from "./unicode-tables.js";

const sets = new Runs(SETS);
const ranks = new Runs(RANKS);
const decomposing = new Runs(DECOMPOSING);

const is = (bit: number) => (code: number) => (sets.of(code) & bit) !== 0;
/** What `\w` of a pattern is. */
export const isPatternWord = is(1);
/** Letters, marks, decimal digits, connecting punctuation and joiners. */
export const isWord = is(2);
export const isNumeric = is(4);
/** Punctuation, and every sign of ASCII that is no letter or digit. */
export const isPunctuation = is(8);
/** What BERT drops: controls, formats and private use, but not what is unassigned. */
export const isControl = is(16);
/** Marks that take no room, as BERT knows them. */
export const isNonspacingMark = is(32);
/** Marks of any kind, as StripAccents knows them. */
export const isCombining = is(64);

/** White_Space of Unicode. */
export function isSpace(code: number): boolean {
  if (code < 0x1680) {
    return code === 32 || (code >= 9 && code <= 13) || code === 0x85 || code === 0xa0;
  }
  return (
    code === 0x1680 ||
    (code >= 0x2000 && code <= 0x200a) ||
    [0x2028, 0x2029, 0x202f, 0x205f, 0x3000].includes(code)
  );
}

/** The combining class, 0 for what begins a letter. */
export function rank(code: number): number {
  return code < 0x300 ? 0 : ranks.of(code);
}

/** Whether a character decomposes. */
export function decomposes(code: number, compatibly: boolean): boolean {
  const kind = decomposing.of(code);
  return kind === 1 || (compatibly && kind === 2);
}

const small = new Map<number, number>();
{
  const read = [...numbers(LOWER)];
  let first = 0;
  for (let i = 0; i < read.length; i += 4) {
    const [gap, count, step, shift] = read.slice(i, i + 4) as [number, number, number, number];
    first += gap;
    const by = shift & 1 ? -(shift >> 1) : shift >> 1;
    for (let k = 0; k < count; k++) {
      small.set(first + k * step, first + k * step + by);
    }
  }
}

/** The small letter of a letter alone, whatever stands beside it; the dotted capital I has two and is not for here. */
export function lower(code: number): number {
  if (code < 128) {
    return code >= 65 && code <= 90 ? code + 32 : code;
  }
  return small.get(code) ?? code;
}

/** The general categories, by the numbers of the table. */
const NAMES =
  "Cn Lu Ll Lt Lm Lo Mn Me Mc Nd Nl No Zs Zl Zp Cc Cf - Co Cs Pd Ps Pe Pc Po Sm Sc Sk So Pi Pf".split(" ");
const LONG: Readonly<Record<string, string>> = {
  letter: "L",
  mark: "M",
  number: "N",
  punctuation: "P",
  symbol: "S",
  separator: "Z",
  other: "C",
  uppercase_letter: "Lu",
  lowercase_letter: "Ll",
  titlecase_letter: "Lt",
  modifier_letter: "Lm",
  other_letter: "Lo",
  nonspacing_mark: "Mn",
  enclosing_mark: "Me",
  spacing_mark: "Mc",
  decimal_number: "Nd",
  letter_number: "Nl",
  other_number: "No",
};

let categories: Runs | undefined;

/** Whether a code point is of the category, or of one that begins with that letter; undefined for no such name. */
export function categoryTest(name: string): ((code: number) => boolean) | undefined {
  const low = name.toLowerCase();
  const wanted = (LONG[low] ?? name).toLowerCase();
  const fits = NAMES.map((known) => {
    const other = known.toLowerCase();
    return other === wanted || (wanted.length === 1 && other.startsWith(wanted));
  });
  if (!fits.includes(true)) {
    return undefined;
  }
  categories ??= new Runs(CATEGORIES);
  const table = categories;
  return (code) => fits[table.of(code)]!;
}
