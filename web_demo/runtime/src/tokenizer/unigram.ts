/** A unigram language model (Kudo 2018): of all ways to cut a word the one with the best sum of scores. */
import { byteToken } from "./bpe.js";
import { utf8 } from "./byte-letters.js";
import { type Fields, invalid, tokenizerText } from "./invalid.js";
import type { Token, TokenizerModel } from "./models.js";

const UNKNOWN_PENALTY = 10;

/** Tokens by their characters, one after another. */
interface Node {
  readonly next: Map<number, Node>;
  id: number; // -1 where no token ends
}

export function unigram(fields: Fields): TokenizerModel {
  const vocabulary = new Map<string, number>();
  const scores: number[] = [];
  const root: Node = { next: new Map(), id: -1 };
  fields.list("vocab").forEach((entry, id) => {
    const [token, score] = Array.isArray(entry) && entry.length === 2 ? (entry as unknown[]) : [];
    if (typeof token !== "string" || typeof score !== "number") {
      throw invalid("an entry of Unigram's vocab is not a token and its score");
    }
    vocabulary.set(token, id);
    scores.push(score);
    let node = root;
    for (const letter of token) {
      const code = letter.codePointAt(0)!;
      let child = node.next.get(code);
      if (child === undefined) {
        child = { next: new Map(), id: -1 };
        node.next.set(code, child);
      }
      node = child;
    }
    if (node !== root) {
      node.id = id;
    }
  });
  const unknown = fields.has("unk_id") ? fields.number("unk_id") : -1;
  if (unknown >= scores.length) {
    throw fields.wrong("unk_id", "an id of its vocab");
  }
  const unknownScore =
    scores.reduce((least, score) => Math.min(least, score), Number.POSITIVE_INFINITY) - UNKNOWN_PENALTY;
  const fallsBack = fields.flag("byte_fallback", false);
  const bytes = Array.from({ length: 256 }, (_, byte) => vocabulary.get(byteToken(byte)));

  /** Where the best way to each place comes from, and with which token. */
  const paths = (chars: readonly number[]): { from: Int32Array; ids: Int32Array } => {
    const best = new Float64Array(chars.length + 1);
    const from = new Int32Array(chars.length + 1).fill(-1);
    const ids = new Int32Array(chars.length + 1);
    const take = (start: number, end: number, id: number, score: number): void => {
      if (from[end]! < 0 || score > best[end]!) {
        best[end] = score;
        from[end] = start;
        ids[end] = id;
      }
    };
    for (let start = 0; start < chars.length; start++) {
      let single = false;
      let node: Node | undefined = root;
      for (let end = start; end < chars.length; end++) {
        node = node.next.get(chars[end]!);
        if (node === undefined) {
          break;
        }
        if (node.id >= 0) {
          take(start, end + 1, node.id, scores[node.id]! + best[start]!);
          single ||= end === start;
        }
      }
      if (!single) {
        const score = unknownScore + best[start]!;
        if ((from[start + 1]! < 0 || score > best[start + 1]!) && unknown < 0) {
          throw tokenizerText("it has a character that is not in the vocabulary, which has no unknown token");
        }
        take(start, start + 1, unknown, score);
      }
    }
    return { from, ids };
  };

  return {
    ...{ vocabulary, size: scores.length, keepsText: true },
    tokenize(word) {
      const { from, ids } = paths(word.chars);
      const cuts: { end: number; strange: boolean }[] = []; // unknown ones in a row are one
      for (let end = word.length; end > 0; end = from[end]!) {
        const strange = ids[end] === unknown;
        if (!strange || cuts.at(-1)?.strange !== true) {
          cuts.push({ end, strange });
        }
      }
      const tokens: Token[] = [];
      let start = 0;
      for (const { end } of cuts.reverse()) {
        const id = vocabulary.get(word.text(start, end));
        const spelled = word.chars.slice(start, end).flatMap((code) => utf8(code).map((byte) => bytes[byte]));
        if (id !== undefined) {
          tokens.push({ id, start, end });
        } else if (fallsBack && !spelled.includes(undefined)) {
          for (const each of spelled) {
            tokens.push({ id: each!, start, end });
          }
        } else {
          tokens.push({ id: unknown, start, end });
        }
        start = end;
      }
      return tokens;
    },
  };
}
