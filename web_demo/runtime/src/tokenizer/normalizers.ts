/** What changes a text before it is cut. */
import { type AlignedText, Change, codePoints } from "./aligned.js";
import { spell } from "./byte-letters.js";
import { Fields, invalid, unknown } from "./invalid.js";
import { isCombining, isControl, isNonspacingMark, isSpace, lower } from "./letters.js";
import { patternOf } from "./patterns.js";
import { precompiled } from "./precompiled.js";
import { type FormName, unicodeForm } from "./unicode-forms.js";

export type Normalizer = (text: AlignedText) => void;

const NMT_SPACES = new Set([
  0x09, 0x0a, 0x0c, 0x0d, 0x1680, 0x200b, 0x200c, 0x200d, 0x200e, 0x200f, 0x2028, 0x2029, 0x2581, 0xfeff,
  0xfffd,
]);
const NMT_DROPPED = new Set([1, 2, 3, 4, 5, 6, 7, 8, 0x0b, 0x7f, 0x8f, 0x9f]);

/** Leaves characters out and replaces others, one by one. */
function filter(keeps: (code: number) => boolean, becomes = (code: number) => code): Normalizer {
  return (text) => {
    if (!text.isAligned || !text.chars.every(keeps)) {
      const change = new Change();
      let removed = 0;
      for (const char of text.chars) {
        if (keeps(char)) {
          change.add(char, 0);
        } else if (change.chars.length === 0) {
          removed++;
        } else {
          change.kinds[change.kinds.length - 1]!--;
        }
      }
      text.transform(change, removed);
    }
    text.chars = text.chars.map(becomes);
  };
}

/** Every letter alone becomes its small one: a final sigma is one like any other. */
function lowercase(text: AlignedText): void {
  if (text.isAligned && !text.chars.includes(0x130)) {
    text.chars = text.chars.map(lower);
    return;
  }
  const change = new Change();
  for (const char of text.chars) {
    if (char === 0x130) {
      // The one letter whose small one is two characters.
      change.add(0x69, 0);
      change.add(0x307, 1);
    } else {
      change.add(lower(char), 0);
    }
  }
  text.transform(change);
}

const stripAccents = filter((code) => !isCombining(code));
const nmt = filter(
  (code) => !NMT_DROPPED.has(code) && !(code >= 0x0e && code <= 0x1f),
  (code) => (NMT_SPACES.has(code) ? 32 : code),
);
const clean = filter(
  (code) => {
    if (code < 128) {
      return (code >= 32 && code !== 127) || code === 9 || code === 10 || code === 13;
    }
    return code !== 0xfffd && !isControl(code);
  },
  (code) => (isSpace(code) ? 32 : code),
);
const dropMarks = filter((code) => !isNonspacingMark(code));
const nfd = unicodeForm("NFD");

/** Han characters, of which BERT takes each for a word. */
function isIdeograph(code: number): boolean {
  const within = (first: number, last: number) => code >= first && code <= last;
  return (
    within(0x3400, 0x4dbf) ||
    within(0x4e00, 0x9fff) ||
    within(0xf900, 0xfaff) ||
    within(0x20000, 0x2a6df) ||
    within(0x2a700, 0x2b73f) ||
    within(0x2b740, 0x2b81f) ||
    within(0x2b920, 0x2ceaf) ||
    within(0x2f800, 0x2fa1f)
  );
}

function setApart(text: AlignedText): void {
  if (text.isAligned && !text.chars.some(isIdeograph)) {
    return;
  }
  const change = new Change();
  for (const char of text.chars) {
    if (isIdeograph(char)) {
      change.add(32, 0);
      change.add(char, 1);
      change.add(32, 1);
    } else {
      change.add(char, 0);
    }
  }
  text.transform(change);
}

/** The cleaning of BERT: controls, white space, ideographs apart, accents, small letters. */
function bert(fields: Fields): Normalizer {
  const lowers = fields.flag("lowercase");
  const cleans = fields.flag("clean_text");
  const parts = fields.flag("handle_chinese_chars");
  const strips = fields.flag("strip_accents", lowers);
  const steps = [cleans && clean, parts && setApart, strips && nfd, strips && dropMarks, lowers && lowercase];
  return inTurn(steps.filter((step) => step !== false));
}

/** Takes white space off the ends. */
function strip(left: boolean, right: boolean): Normalizer {
  return (text) => {
    const { chars, length } = text;
    let [leading, trailing] = [0, 0];
    while (left && leading < length && isSpace(chars[leading]!)) {
      leading++;
    }
    while (right && trailing < length && isSpace(chars[length - 1 - trailing]!)) {
      trailing++;
    }
    if (leading === 0 && trailing === 0) {
      return;
    }
    const change = new Change();
    for (let i = leading; i < length - trailing; i++) {
      change.add(chars[i]!, i === length - trailing - 1 ? -trailing : 0);
    }
    text.transform(change, leading);
  };
}

function inTurn(steps: readonly Normalizer[]): Normalizer {
  return (text) => {
    for (const step of steps) {
      step(text);
    }
  };
}

/** The normalizer of tokenizer.json, undefined where there is none. Unknown ones are refused. */
export function normalizerOf(value: unknown): Normalizer | undefined {
  if (value === null || value === undefined) {
    return undefined;
  }
  const unnamed = Fields.of(value, "the normalizer");
  const type = unnamed.text("type");
  const fields = unnamed.named(type);
  switch (type) {
    case "Sequence":
      return inTurn(
        fields.list("normalizers").map((step) => {
          const read = normalizerOf(step);
          if (read === undefined) {
            throw invalid("a step of the normalizer is nothing");
          }
          return read;
        }),
      );
    case "BertNormalizer":
      return bert(fields);
    case "Precompiled":
      return precompiled(fields.text("precompiled_charsmap"));
    case "Replace": {
      const [pattern, content] = [patternOf(fields), codePoints(fields.text("content"))];
      return (text) => text.replace(pattern(text.chars), content);
    }
    case "Prepend": {
      const content = codePoints(fields.text("prepend"));
      return (text) => text.prepend(content);
    }
    case "Strip":
      return strip(fields.flag("strip_left"), fields.flag("strip_right"));
    case "NFD":
    case "NFKD":
    case "NFC":
    case "NFKC":
      return unicodeForm(type as FormName);
    case "Lowercase":
      return lowercase;
    case "StripAccents":
      return stripAccents;
    case "Nmt":
      return nmt;
    case "ByteLevel":
      return spell;
    default:
      throw unknown("normalizer", type);
  }
}
