/** The added tokens of a tokenizer: their ids, and where they are in texts. */
import { AlignedText, codePoints } from "./aligned.js";
import { Fields, invalid, tokenizerText } from "./invalid.js";
import { isSpace, isWord } from "./letters.js";
import type { TokenizerModel } from "./models.js";
import type { Normalizer } from "./normalizers.js";
import type { Part } from "./patterns.js";

/** A token that is cut out of a text before anything else is done to it. */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Whether decoding leaves it out when asked for text without special tokens. */
  readonly special: boolean;
  /** Whether it takes the white space before it. */
  readonly lstrip: boolean;
  /** Whether it takes the white space behind it. */
  readonly rstrip: boolean;
  /** Whether it is looked for in the normalised text, normalised itself. */
  readonly normalized: boolean;
  /** Whether it counts only where no letter, digit or underscore touches it. */
  readonly singleWord: boolean;
}

/**
 * The added tokens of tokenizer.json. One that the model knows has the model's id; the others are numbered on from the
 * model's, in their order, whatever ids the file gives them.
 */
export function addedTokensOf(fields: Fields, model: TokenizerModel): AddedToken[] {
  const known = new Map<string, AddedToken>();
  let next = model.size;
  for (const entry of fields.has("added_tokens") ? fields.list("added_tokens") : []) {
    const each = Fields.of(entry, "an added token");
    const content = each.text("content");
    const before = known.get(content);
    each.number("id");
    const about = {
      content,
      special: each.flag("special"),
      lstrip: each.flag("lstrip"),
      rstrip: each.flag("rstrip"),
      normalized: each.flag("normalized"),
      singleWord: each.flag("single_word"),
    };
    if (content === "" || (before !== undefined && same(before, about))) {
      continue;
    }
    const id = before?.id ?? model.vocabulary.get(content);
    known.set(content, { id: id ?? next, ...about });
    next += id === undefined ? 1 : 0;
  }
  return [...known.values()];
}

function same(a: AddedToken, b: Omit<AddedToken, "id">): boolean {
  return (Object.keys(b) as (keyof typeof b)[]).every((key) => a[key] === b[key]);
}

export class AddedTokens {
  /** By their ids. */
  readonly all: readonly AddedToken[];
  readonly byContent = new Map<string, AddedToken>();
  /** How a token is written where ids become text: normalised, if texts are before it is looked for. */
  readonly written = new Map<number, string>();
  private readonly raw: TokenSearch;
  private readonly normalized: TokenSearch;

  constructor(
    tokens: readonly AddedToken[],
    private readonly normalizer: Normalizer | undefined,
  ) {
    const byId = new Map(tokens.map((token) => [token.id, token]));
    this.all = [...byId.values()].sort((a, b) => a.id - b.id);
    for (const token of tokens) {
      this.byContent.set(token.content, token);
      this.written.set(token.id, token.normalized ? normal(token.content, normalizer).text() : token.content);
    }
    this.raw = new TokenSearch(this.all, false, undefined);
    this.normalized = new TokenSearch(this.all, true, normalizer);
  }

  isSpecial(content: string): boolean {
    return this.byContent.get(content)?.special === true;
  }

  /** Cuts a text into added tokens and parts that are normalised. */
  cut(text: AlignedText): Part[] {
    return this.raw.cut(text).flatMap((part) => {
      if (part.id !== undefined) {
        return [part];
      }
      this.normalizer?.(part.text);
      return part.text.length > 0 ? this.normalized.cut(part.text) : [];
    });
  }
}

function normal(content: string, normalizer: Normalizer | undefined): AlignedText {
  const text = AlignedText.of(content);
  normalizer?.(text);
  return text;
}

/** Cuts added tokens out of a text: the leftmost first, of several at one place the longest. */
class TokenSearch {
  /** By the first character, the longest first. */
  private readonly entries = new Map<number, { chars: number[]; token: AddedToken }[]>();

  constructor(tokens: readonly AddedToken[], normalized: boolean, normalizer: Normalizer | undefined) {
    const seen = new Set<string>();
    for (const token of tokens.filter((each) => each.normalized === normalized)) {
      const text = normalized ? normal(token.content, normalizer).text() : token.content;
      if (text === "") {
        continue; // which is nowhere
      }
      if (seen.has(text)) {
        // Which of them a text has would be chance.
        throw invalid(
          `the added token ${JSON.stringify(token.content)} is the same as another once normalised`,
        );
      }
      seen.add(text);
      const chars = codePoints(text);
      const others = this.entries.get(chars[0]!) ?? [];
      others.push({ chars, token });
      this.entries.set(chars[0]!, others);
    }
    for (const others of this.entries.values()) {
      others.sort((a, b) => b.chars.length - a.chars.length);
    }
  }

  /** The tokens in a text and what lies between them. */
  cut(text: AlignedText): Part[] {
    const parts: Part[] = [];
    const add = (start: number, end: number, id: number | undefined): void => {
      if (start < end) {
        parts.push({ text: text.slice(start, end), id });
      }
    };
    const { chars, length } = text;
    let done = 0;
    let [spaces, spacesEnd] = [0, 0]; // a run of white space that has been walked through
    for (let at = 0; at < length; ) {
      const entry = this.at(chars, at);
      if (entry === undefined) {
        at++;
        continue;
      }
      let [start, end] = [at, at + entry.chars.length];
      at = end;
      const { token } = entry;
      const touched = (start > 0 && isWord(chars[start - 1]!)) || (end < length && isWord(chars[end]!));
      if (token.singleWord && touched) {
        continue;
      }
      if (token.lstrip) {
        start = Math.max(start, done); // not what the token before has taken
        while (start > done && isSpace(chars[start - 1]!)) {
          start--;
        }
      }
      if (token.rstrip) {
        const from = end;
        end = from >= spaces && from < spacesEnd ? spacesEnd : from;
        while (end < length && isSpace(chars[end]!)) {
          end++;
        }
        [spaces, spacesEnd] = [from, end];
      }
      if (done < start) {
        add(done, start, undefined);
      }
      if (start > end) {
        throw tokenizerText("an added token lies in the white space that the one before it takes");
      }
      add(start, end, token.id);
      done = end;
    }
    add(done, length, undefined);
    return parts;
  }

  private at(chars: readonly number[], at: number): { chars: number[]; token: AddedToken } | undefined {
    return this.entries
      .get(chars[at]!)
      ?.find((entry) => entry.chars.every((char, i) => chars[at + i] === char));
  }
}
