/** What cuts a text into words, which the model then cuts into tokens. */
import type { AlignedText } from "./aligned.js";
import { spell } from "./byte-letters.js";
import { Fields, invalid, unknown } from "./invalid.js";
import { isNumeric, isPunctuation, isSpace } from "./letters.js";
import {
  type Behavior,
  behaviorOf,
  characters,
  type Pattern,
  patternOf,
  regex,
  split,
  WORDS,
} from "./patterns.js";

/** Cuts a part that is no token yet. */
export type PreTokenizer = (text: AlignedText) => AlignedText[];

const GPT2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
const SPACES = characters(isSpace);
const PUNCTUATION = characters(isPunctuation);

/** How spaces are written as letters: what letter, and whether one is put before a text. */
export function metaspaceOf(fields: Fields): { letter: number; scheme: string; splits: boolean } {
  const scheme = fields.text("prepend_scheme", "always");
  if (!["always", "first", "never"].includes(scheme)) {
    throw unknown("prepend_scheme", scheme);
  }
  if (scheme !== "never" && !fields.flag("add_prefix_space", true)) {
    throw fields.wrong("add_prefix_space", "what its prepend_scheme says"); // an older name
  }
  return { letter: fields.character("replacement"), scheme, splits: fields.flag("split", true) };
}

const some = (text: AlignedText): AlignedText[] => (text.length > 0 ? [text] : []);

/** GPT-2's words, spelled by the letters of their bytes. */
function byteLevel(spaced: boolean, cuts: boolean): PreTokenizer {
  const words = cuts ? regex(GPT2) : undefined;
  return (text) => {
    if (spaced && text.chars[0] !== 32) {
      text.prepend([32]);
    }
    const parts = words === undefined ? some(text) : split(text, words, "Isolated");
    parts.forEach(spell);
    return parts;
  };
}

/** Spaces as a letter of their own, which begins the words. */
function metaspace(fields: Fields): PreTokenizer {
  const { letter, scheme, splits } = metaspaceOf(fields);
  const spaces = characters((code) => code === 32);
  const marks = characters((code) => code === letter);
  return (text) => {
    text.replace(spaces(text.chars), [letter]);
    const due = scheme === "always" || (scheme === "first" && text.from === 0);
    if (due && text.chars[0] !== letter) {
      text.prepend([letter]);
    }
    return splits ? split(text, marks, "MergedWithNext") : some(text);
  };
}

function splitter(pattern: Pattern, behavior: Behavior, invert = false): PreTokenizer {
  return (text) => split(text, pattern, behavior, invert);
}

function inTurn(steps: readonly PreTokenizer[]): PreTokenizer {
  return (text) => steps.reduce((parts, step) => parts.flatMap(step), [text]);
}

/** The pre-tokenizer of tokenizer.json, undefined where there is none. Unknown ones are refused. */
export function preTokenizerOf(value: unknown): PreTokenizer | undefined {
  if (value === null || value === undefined) {
    return undefined;
  }
  const unnamed = Fields.of(value, "the pre_tokenizer");
  const type = unnamed.text("type");
  const fields = unnamed.named(type);
  switch (type) {
    case "Sequence":
      return inTurn(
        fields.list("pretokenizers").map((step) => {
          const read = preTokenizerOf(step);
          if (read === undefined) {
            throw invalid("a step of the pre_tokenizer is nothing");
          }
          return read;
        }),
      );
    case "ByteLevel":
      fields.flag("trim_offsets");
      return byteLevel(fields.flag("add_prefix_space"), fields.flag("use_regex", true));
    case "Metaspace":
      return metaspace(fields);
    case "Split":
      return splitter(patternOf(fields), behaviorOf(fields), fields.flag("invert"));
    case "Digits":
      return splitter(characters(isNumeric), fields.flag("individual_digits") ? "Isolated" : "Contiguous");
    case "Whitespace":
      return splitter(WORDS, "Removed", true);
    case "WhitespaceSplit":
      return splitter(SPACES, "Removed");
    case "Punctuation":
      return splitter(PUNCTUATION, fields.has("behavior") ? behaviorOf(fields) : "Isolated");
    case "CharDelimiterSplit": {
      const delimiter = fields.character("delimiter");
      return splitter(
        characters((code) => code === delimiter),
        "Removed",
      );
    }
    case "BertPreTokenizer":
      return inTurn([splitter(SPACES, "Removed"), splitter(PUNCTUATION, "Isolated")]);
    default:
      throw unknown("pre_tokenizer", type);
  }
}
