/** What cuts words into tokens: the models of tokenizer.json. */
import type { AlignedText } from "./aligned.js";
import { bpe } from "./bpe.js";
import { Fields, invalid, tokenizerText, unknown } from "./invalid.js";
import { unigram } from "./unigram.js";

/** A token of a word: its id, and what characters of the word it is. */
export interface Token {
  readonly id: number;
  readonly start: number;
  readonly end: number;
}

export interface TokenizerModel {
  readonly vocabulary: ReadonlyMap<string, number>;
  /** How many tokens, as the ids of added ones count on from it. */
  readonly size: number;
  /** Whether a token's text is the word's and not the vocabulary's, as of an unknown word. */
  readonly keepsText: boolean;
  tokenize(word: AlignedText): Token[];
}

/** Tokens with their ids, as a model of tokenizer.json has them. */
export function vocabularyOf(fields: Fields): Map<string, number> {
  const { all } = fields.object("vocab");
  const vocabulary = new Map<string, number>();
  for (const [token, id] of Object.entries(all)) {
    if (!Number.isInteger(id) || (id as number) < 0) {
      throw invalid(
        `the token ${JSON.stringify(token).slice(0, 120)} has no whole number from 0 on for an id`,
      );
    }
    vocabulary.set(token, id as number);
  }
  return vocabulary;
}

function idOfUnknown(vocabulary: ReadonlyMap<string, number>, name: string): number {
  const id = vocabulary.get(name);
  if (id === undefined) {
    throw tokenizerText(`it has a word that is not in the vocabulary, and neither is ${name}`);
  }
  return id;
}

/** Whole words alone. */
function wordLevel(fields: Fields): TokenizerModel {
  const vocabulary = vocabularyOf(fields);
  const name = fields.text("unk_token");
  return {
    ...{ vocabulary, size: vocabulary.size, keepsText: false },
    tokenize(word) {
      const id = vocabulary.get(word.text()) ?? idOfUnknown(vocabulary, name);
      return [{ id, start: 0, end: word.length }];
    },
  };
}

/** Of each word the longest beginning that is known, then the longest that goes on, and so on. */
function wordPiece(fields: Fields): TokenizerModel {
  const vocabulary = vocabularyOf(fields);
  const name = fields.text("unk_token");
  const prefix = fields.text("continuing_subword_prefix");
  const most = fields.number("max_input_chars_per_word");
  const longest = Math.max(0, ...lengths(vocabulary));

  const pieces = (word: AlignedText): Token[] | undefined => {
    const tokens: Token[] = [];
    for (let start = 0; start < word.length; ) {
      let end = Math.min(word.length, start + longest);
      let id: number | undefined;
      for (; end > start; end--) {
        id = vocabulary.get((start > 0 ? prefix : "") + word.text(start, end));
        if (id !== undefined) {
          break;
        }
      }
      if (id === undefined) {
        return undefined;
      }
      tokens.push({ id, start, end });
      start = end;
    }
    return tokens;
  };

  return {
    ...{ vocabulary, size: vocabulary.size, keepsText: false },
    tokenize(word) {
      const known = word.length > most ? undefined : pieces(word);
      return known ?? [{ id: idOfUnknown(vocabulary, name), start: 0, end: word.length }];
    },
  };
}

function* lengths(vocabulary: ReadonlyMap<string, number>): Generator<number> {
  let longest = 0;
  for (const token of vocabulary.keys()) {
    longest = Math.max(longest, token.length);
  }
  yield longest;
}

/** The model of tokenizer.json. Unknown ones are refused. */
export function modelOf(value: unknown): TokenizerModel {
  const unnamed = Fields.of(value, "the model");
  const type = unnamed.has("type") ? unnamed.text("type") : guessed(unnamed);
  const fields = unnamed.named(type);
  switch (type) {
    case "BPE":
      return bpe(fields);
    case "WordPiece":
      return wordPiece(fields);
    case "WordLevel":
      return wordLevel(fields);
    case "Unigram":
      return unigram(fields);
    default:
      throw unknown("model", type);
  }
}

/** Older files do not name the kind of a model; its fields do. */
function guessed(fields: Fields): string {
  if (fields.has("merges")) {
    return "BPE";
  }
  if (fields.has("max_input_chars_per_word")) {
    return "WordPiece";
  }
  return Array.isArray(fields.get("vocab")) ? "Unigram" : "WordLevel";
}
