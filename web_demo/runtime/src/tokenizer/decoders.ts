/** What makes a text of tokens, in steps: tokens to tokens, of which the last ones are joined. */
import { codePoints, textOf } from "./aligned.js";
import { byteOf } from "./byte-letters.js";
import { Fields, invalid, unknown } from "./invalid.js";
import { patternOf } from "./patterns.js";
import { metaspaceOf } from "./pre-tokenizers.js";

export type Decoder = (tokens: string[]) => string[];

const encoder = new TextEncoder();
const lenient = new TextDecoder("utf-8", { ignoreBOM: true });
const strict = new TextDecoder("utf-8", { ignoreBOM: true, fatal: true });
const REPLACEMENT = "\ufffd";

const TIDY = [
  [" .", "."],
  [" ?", "?"],
  [" !", "!"],
  [" ,", ","],
  [" ' ", "'"],
  [" n't", "n't"],
  [" 'm", "'m"],
  [" do not", " don't"],
  [" 's", "'s"],
  [" 've", "'ve"],
  [" 're", "'re"],
] as const;

const each =
  (decode: (token: string, index: number, count: number) => string): Decoder =>
  (tokens) =>
    tokens.map((token, i) => decode(token, i, tokens.length));

/** Letters that stand for bytes; a token with any other is taken as it is written. */
const byteLevel: Decoder = (tokens) => {
  const bytes: number[] = [];
  for (const token of tokens) {
    const own = codePoints(token).map(byteOf);
    for (const byte of own.includes(undefined) ? encoder.encode(token) : (own as number[])) {
      bytes.push(byte);
    }
  }
  return [lenient.decode(Uint8Array.from(bytes))];
};

/** Runs of tokens like `<0x0A>` become the characters of their bytes, or a U+FFFD each. */
const byteFallback: Decoder = (tokens) => {
  const decoded: string[] = [];
  let run: number[] = [];
  const flush = (): void => {
    if (run.length > 0) {
      try {
        decoded.push(strict.decode(Uint8Array.from(run)));
      } catch {
        decoded.push(...run.map(() => REPLACEMENT));
      }
      run = [];
    }
  };
  for (const token of tokens) {
    const found = /^<0x([0-9A-Fa-f+])([0-9A-Fa-f])>$/.exec(token); // a sign is let pass
    if (found !== null) {
      run.push(Number.parseInt((found[1] === "+" ? "" : found[1]!) + found[2], 16));
    } else {
      flush();
      decoded.push(token);
    }
  }
  flush();
  return decoded;
};

/** Takes a character off both ends, as often as is said. */
function strip(content: number, start: number, stop: number): Decoder {
  return each((token) => {
    const chars = codePoints(token);
    let [from, to] = [0, chars.length];
    while (from < to && from < start && chars[from] === content) {
      from++;
    }
    while (to > from && chars.length - to < stop && chars[to - 1] === content) {
      to--;
    }
    return textOf(chars, from, to);
  });
}

/** A space before each token that does not go on with a word. */
function wordPiece(prefix: string, tidies: boolean): Decoder {
  return each((token, index) => {
    let text = token;
    if (index > 0) {
      text = token.startsWith(prefix) ? token.slice(prefix.length) : ` ${token}`;
    }
    for (const [from, to] of tidies ? TIDY : []) {
      text = text.replaceAll(from, to);
    }
    return text;
  });
}

/** The decoder of tokenizer.json, undefined where there is none. Unknown ones are refused. */
export function decoderOf(value: unknown): Decoder | undefined {
  if (value === null || value === undefined) {
    return undefined;
  }
  const unnamed = Fields.of(value, "the decoder");
  const type = unnamed.text("type");
  const fields = unnamed.named(type);
  switch (type) {
    case "Sequence": {
      const steps = fields.list("decoders").map((step) => {
        const read = decoderOf(step);
        if (read === undefined) {
          throw invalid("a step of the decoder is nothing");
        }
        return read;
      });
      return (tokens) => steps.reduce((decoded, step) => step(decoded), tokens);
    }
    case "ByteLevel":
      return byteLevel;
    case "ByteFallback":
      return byteFallback;
    case "Fuse":
      return (tokens) => [tokens.join("")];
    case "WordPiece":
      return wordPiece(fields.text("prefix"), fields.flag("cleanup"));
    case "BPEDecoder": {
      const suffix = fields.text("suffix");
      return each((token, i, count) => token.replaceAll(suffix, () => (i === count - 1 ? "" : " ")));
    }
    case "Metaspace": {
      const { letter, scheme } = metaspaceOf(fields);
      const mark = String.fromCodePoint(letter);
      return each((token, i) => token.replaceAll(mark, i === 0 && scheme !== "never" ? "" : " "));
    }
    case "Strip":
      return strip(fields.character("content"), fields.number("start"), fields.number("stop"));
    case "Replace": {
      const [pattern, content] = [patternOf(fields), fields.text("content")];
      return each((token) => {
        const chars = codePoints(token);
        return pattern(chars)
          .map(({ start, end, match }) => (match ? content : textOf(chars, start, end)))
          .join("");
      });
    }
    default:
      throw unknown("decoder", type);
  }
}
