/** Byte-pair encoding (Sennrich et al. 2016): of characters the pair with the first rank merges, again and again. */
import { type AlignedText, bytesOf } from "./aligned.js";
import { utf8 } from "./byte-letters.js";
import { type Fields, invalid, tokenizerText } from "./invalid.js";
import { type Token, type TokenizerModel, vocabularyOf } from "./models.js";

const CACHE = 8192;
const LONGEST_CACHED = 64;

/** How a byte is written where a vocabulary has no character for it. */
export function byteToken(byte: number): string {
  return `<0x${byte.toString(16).toUpperCase().padStart(2, "0")}>`;
}

interface Merge {
  readonly rank: number;
  readonly id: number;
}

/** Ids of pieces and their lengths in bytes. */
interface Pieces {
  readonly ids: number[];
  readonly lengths: number[];
}

export function bpe(fields: Fields): TokenizerModel {
  const dropout = fields.get("dropout");
  if (dropout !== undefined && dropout !== 0) {
    throw invalid("BPE's dropout cuts words by chance, which is not supported");
  }
  const vocabulary = vocabularyOf(fields);
  const name = fields.has("unk_token") ? fields.text("unk_token") : undefined;
  const unknownId = name === undefined ? undefined : vocabulary.get(name);
  const prefix = fields.text("continuing_subword_prefix", "");
  const suffix = fields.text("end_of_word_suffix", "");
  const fuses = fields.flag("fuse_unk", false);
  const fallsBack = fields.flag("byte_fallback", false);
  const whole = fields.flag("ignore_merges", false);
  const merges = mergesOf(fields, vocabulary, prefix.length);
  const bytes = Array.from({ length: 256 }, (_, byte) => vocabulary.get(byteToken(byte)));
  const cache = new Map<string, Token[]>();

  /** The ids of a text's bytes, undefined where one has none. */
  const byteIds = (text: string): number[] | undefined => {
    const ids = [...text].flatMap((letter) => utf8(letter.codePointAt(0)!)).map((byte) => bytes[byte]);
    return ids.includes(undefined) ? undefined : (ids as number[]);
  };

  /** A token for each character, or for each of its bytes, or the unknown one. */
  const spelled = ({ chars }: AlignedText): Pieces => {
    const pieces: Pieces = { ids: [], lengths: [] };
    let pending = 0; // bytes that the next unknown token stands for
    const add = (id: number, length: number): void => {
      pieces.ids.push(id);
      pieces.lengths.push(length);
    };
    const settle = (): void => {
      if (pending > 0) {
        add(unknownId!, pending);
        pending = 0;
      }
    };
    chars.forEach((char, i) => {
      const text =
        (i > 0 ? prefix : "") + String.fromCodePoint(char) + (i === chars.length - 1 ? suffix : "");
      const id = vocabulary.get(text);
      const inBytes = id === undefined && fallsBack ? byteIds(text) : undefined;
      if (id !== undefined) {
        settle();
        add(id, bytesOf(char));
      } else if (inBytes !== undefined) {
        for (const each of inBytes) {
          add(each, 1);
        }
      } else if (name !== undefined) {
        if (unknownId === undefined) {
          throw tokenizerText(`it has characters that are not in the vocabulary, and neither is ${name}`);
        }
        if (!fuses) {
          settle();
        }
        pending += bytesOf(char);
      }
    });
    settle();
    return pieces;
  };

  return {
    ...{ vocabulary, size: vocabulary.size, keepsText: false },
    tokenize(word) {
      const text = word.text();
      const id = whole ? vocabulary.get(text) : undefined;
      if (id !== undefined) {
        return [{ id, start: 0, end: word.length }];
      }
      let tokens = cache.get(text);
      if (tokens === undefined) {
        const pieces = spelled(word);
        merge(pieces, merges);
        tokens = placed(word, pieces);
        if (text.length <= LONGEST_CACHED) {
          if (cache.size >= CACHE) {
            cache.clear();
          }
          cache.set(text, tokens);
        }
      }
      return tokens;
    },
  };
}

/** By the ids of a pair: its rank, and what it becomes. */
type Merges = ReadonlyMap<number, ReadonlyMap<number, Merge>>;

function mergesOf(fields: Fields, vocabulary: ReadonlyMap<string, number>, skip: number): Merges {
  const merges = new Map<number, Map<number, Merge>>();
  let rank = 0;
  for (const entry of fields.list("merges")) {
    if (typeof entry === "string" && entry.startsWith("#version")) {
      continue;
    }
    const pair = typeof entry === "string" ? entry.split(" ") : entry;
    if (!Array.isArray(pair) || pair.length !== 2 || !pair.every((token) => typeof token === "string")) {
      throw invalid("a merge of BPE is not two tokens");
    }
    const [left, right] = pair as [string, string];
    const [first, second] = [vocabulary.get(left), vocabulary.get(right)];
    const id = vocabulary.get(left + right.slice(skip));
    if (first === undefined || second === undefined || id === undefined) {
      const missing = first === undefined ? left : second === undefined ? right : left + right;
      throw invalid(`a merge's token ${JSON.stringify(missing).slice(0, 120)} is out of vocabulary`);
    }
    let seconds = merges.get(first);
    if (seconds === undefined) {
      seconds = new Map();
      merges.set(first, seconds);
    }
    seconds.set(second, { rank: rank++, id });
  }
  return merges;
}

const QUEUED = 256; // pieces from which on a queue is quicker than looking at all pairs again

/** Merges pairs, those with the lowest rank first and of them the leftmost. */
function merge(pieces: Pieces, merges: Merges): void {
  if (pieces.ids.length > QUEUED) {
    mergeQueued(pieces, merges);
    return;
  }
  const { ids, lengths } = pieces;
  const found = ids.map((id, i) => merges.get(id)?.get(ids[i + 1]!)); // of the pair that begins here
  for (;;) {
    let best = -1;
    for (let i = 0; i + 1 < ids.length; i++) {
      const pair = found[i];
      if (pair !== undefined && (best < 0 || pair.rank < found[best]!.rank)) {
        best = i;
      }
    }
    if (best < 0) {
      return;
    }
    ids[best] = found[best]!.id;
    lengths[best]! += lengths[best + 1]!;
    ids.splice(best + 1, 1);
    lengths.splice(best + 1, 1);
    found.splice(best + 1, 1);
    if (best > 0) {
      found[best - 1] = merges.get(ids[best - 1]!)?.get(ids[best]!);
    }
    found[best] = merges.get(ids[best]!)?.get(ids[best + 1]!);
  }
}

/** The same for words of thousands of characters. */
function mergeQueued({ ids, lengths }: Pieces, merges: Merges): void {
  const next = ids.map((_, i) => (i + 1 < ids.length ? i + 1 : -1));
  const previous = ids.map((_, i) => i - 1);
  const heap = new Heap();
  const offer = (at: number): void => {
    const pair = next[at]! < 0 ? undefined : merges.get(ids[at]!)?.get(ids[next[at]!]!);
    if (pair !== undefined) {
      heap.push(pair.rank * 2 ** 21 + at);
    }
  };
  for (let i = 0; i + 1 < ids.length; i++) {
    offer(i);
  }
  for (let top = heap.pop(); top !== undefined; top = heap.pop()) {
    const at = top % 2 ** 21;
    const right = next[at]!;
    if (lengths[at] === 0 || right < 0) {
      continue;
    }
    const pair = merges.get(ids[at]!)?.get(ids[right]!);
    if (pair === undefined || pair.rank !== Math.floor(top / 2 ** 21)) {
      continue; // the pair that was meant is no more
    }
    ids[at] = pair.id;
    lengths[at]! += lengths[right]!;
    lengths[right] = 0;
    next[at] = next[right]!;
    if (next[at]! >= 0) {
      previous[next[at]!] = at;
    }
    offer(at);
    if (previous[at]! >= 0) {
      offer(previous[at]!);
    }
  }
}

/** Numbers, the least of which comes out first. */
class Heap {
  private readonly items: number[] = [];

  push(item: number): void {
    const { items } = this;
    let at = items.push(item) - 1;
    while (at > 0) {
      const parent = (at - 1) >> 1;
      if (items[parent]! <= item) {
        break;
      }
      items[at] = items[parent]!;
      at = parent;
    }
    items[at] = item;
  }

  pop(): number | undefined {
    const { items } = this;
    const top = items[0];
    const last = items.pop();
    if (last !== undefined && items.length > 0) {
      let at = 0;
      for (;;) {
        let child = 2 * at + 1;
        if (child >= items.length) {
          break;
        }
        child += child + 1 < items.length && items[child + 1]! < items[child]! ? 1 : 0;
        if (items[child]! >= last) {
          break;
        }
        items[at] = items[child]!;
        at = child;
      }
      items[at] = last;
    }
    return top;
  }
}

/** From lengths in bytes to places in characters. */
function placed({ chars }: AlignedText, { ids, lengths }: Pieces): Token[] {
  const tokens: Token[] = [];
  let char = 0; // that begins at or holds the place
  let begins = 0; // its first byte
  let at = 0;
  const walk = (): void => {
    while (char < chars.length && begins + bytesOf(chars[char]!) <= at) {
      begins += bytesOf(chars[char++]!);
    }
  };
  ids.forEach((id, i) => {
    if (lengths[i] === 0) {
      return;
    }
    walk();
    const start = char;
    at += lengths[i]!;
    walk();
    tokens.push({ id, start, end: Math.min(at > begins ? char + 1 : char, chars.length) });
  });
  return tokens;
}
