/** Where what a reader takes for one character ends: extended grapheme clusters of UAX #29. */
import { Runs } from "./runs.js";
import { BREAKS } from "./unicode-tables.js";

const CR = 1;
const LF = 2;
const CONTROL = 3;
const EXTEND = 4;
const JOINER = 5;
const REGIONAL = 6;
const PREPEND = 7;
const SPACING = 8;
const [L, V, T, LV, LVT] = [9, 10, 11, 12, 13];
const PICTOGRAPH = 14;
const CONSONANT = 15;
const INNER = 16;
const LINKER = 17;

let breaks: Runs | undefined;

/** The end of the grapheme that begins at `start`. */
export function graphemeEnd(text: readonly number[], start: number): number {
  breaks ??= new Runs(BREAKS);
  let before = breaks.of(text[start]!);
  let at = start + 1;
  let pictograph = before === PICTOGRAPH; // with nothing but extending characters since
  let joined = false; // and a joiner last
  let regional = before === REGIONAL ? 1 : 0;
  let conjunct = before === CONSONANT ? 1 : 0; // 1: within one, 2: with a linker
  for (; at < text.length; at++) {
    const kind = breaks.of(text[at]!);
    if (!goesOn(before, kind, joined, regional, conjunct)) {
      break;
    }
    const extending = kind === EXTEND || kind === INNER || kind === LINKER;
    joined = pictograph && kind === JOINER;
    pictograph = !joined && (kind === PICTOGRAPH || (pictograph && extending));
    regional = kind === REGIONAL ? regional + 1 : 0;
    if (kind === CONSONANT) {
      conjunct = 1;
    } else if (kind === LINKER) {
      conjunct = conjunct > 0 ? 2 : 0;
    } else if (kind !== INNER && kind !== JOINER) {
      conjunct = 0;
    }
    before = kind;
  }
  return at;
}

function goesOn(before: number, kind: number, joined: boolean, regional: number, conjunct: number): boolean {
  if (before === CR && kind === LF) {
    return true;
  }
  const controls = (each: number) => each >= CR && each <= CONTROL;
  if (controls(before) || controls(kind)) {
    return false;
  }
  if (
    (before === L && [L, V, LV, LVT].includes(kind)) ||
    ((before === LV || before === V) && (kind === V || kind === T)) ||
    ((before === LVT || before === T) && kind === T)
  ) {
    return true;
  }
  if ([EXTEND, INNER, LINKER, JOINER, SPACING].includes(kind) || before === PREPEND) {
    return true;
  }
  return (
    (conjunct === 2 && kind === CONSONANT) ||
    (joined && kind === PICTOGRAPH) ||
    (kind === REGIONAL && regional % 2 === 1)
  );
}
