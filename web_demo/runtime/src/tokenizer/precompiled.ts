/**
 * SentencePiece's rules of normalisation: a double array of texts and what each becomes. A grapheme that begins with a
 * rule's text becomes what the shortest such rule says, all of it where it has less than six bytes; else this is done for
 * each of its characters.
 */
import { type AlignedText, bytesOf, Change, codePoints } from "./aligned.js";
import { utf8 } from "./byte-letters.js";
import { graphemeEnd } from "./graphemes.js";
import { invalid, tokenizerText } from "./invalid.js";

const MOST_BYTES = 5;

export function precompiled(base64: string): (text: AlignedText) => void {
  const data = decoded(base64);
  const view = new DataView(data.buffer);
  const size = data.length < 4 ? 0 : view.getUint32(0, true);
  if (size < 4 || size > data.length - 4) {
    throw invalid("Precompiled's charsmap is cut off");
  }
  const units = new Int32Array(size >> 2).map((_, i) => view.getInt32(4 + 4 * i, true));
  const texts = data.subarray(4 + 4 * units.length);
  const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
  try {
    decoder.decode(texts);
  } catch {
    throw invalid("Precompiled's charsmap is not UTF-8");
  }

  const unit = (node: number): number => {
    const found = units[node];
    if (found === undefined) {
      throw tokenizerText("its tokenizer's charsmap is damaged");
    }
    return found;
  };

  /** Where the text of the shortest rule is that some characters begin with. */
  const ruleOf = (chars: readonly number[], from: number, to: number): number | undefined => {
    let node = offset(units[0]!);
    for (let i = from; i < to; i++) {
      for (const byte of utf8(chars[i]!)) {
        if (byte === 0) {
          return undefined;
        }
        node ^= byte;
        const found = unit(node);
        if ((found & 0x800000ff) !== byte) {
          return undefined;
        }
        node ^= offset(found);
        if ((found >> 8) & 1) {
          const leaf = unit(node) & 0x7fffffff;
          if (leaf > texts.length) {
            throw tokenizerText("its tokenizer's charsmap is damaged");
          }
          return leaf;
        }
      }
    }
    return undefined;
  };

  const replace = (change: Change, old: number, rule: number): void => {
    const end = texts.indexOf(0, rule);
    const chars = codePoints(decoder.decode(texts.subarray(rule, end < 0 ? texts.length : end)));
    chars.forEach((char, i) => {
      change.add(char, i < old ? 0 : 1);
    });
    if (chars.length < old && change.chars.length > 0) {
      // The last one, of whatever rule, swallows what is too many.
      change.kinds[change.kinds.length - 1]! += chars.length - old;
    }
  };

  return (text) => {
    const { chars } = text;
    const change = new Change();
    let changed = false;
    for (let at = 0; at < chars.length; ) {
      const end = graphemeEnd(chars, at);
      const bytes = chars.slice(at, end).reduce((sum, char) => sum + bytesOf(char), 0);
      const whole = bytes <= MOST_BYTES ? ruleOf(chars, at, end) : undefined;
      if (whole !== undefined) {
        replace(change, end - at, whole);
        changed = true;
        at = end;
        continue;
      }
      for (; at < end; at++) {
        const rule = ruleOf(chars, at, at + 1);
        if (rule === undefined) {
          change.add(chars[at]!, 0);
        } else {
          replace(change, 1, rule);
          changed = true;
        }
      }
    }
    if (changed) {
      text.transform(change);
    }
  };
}

function offset(unit: number): number {
  return (unit >>> 10) << ((unit & 0x200) >> 6);
}

function decoded(base64: string): Uint8Array<ArrayBuffer> {
  if (base64.length % 4 !== 0 || !/^[A-Za-z0-9+/]*={0,2}$/.test(base64)) {
    throw invalid("Precompiled's charsmap is not base 64");
  }
  const text = atob(base64);
  return Uint8Array.from(text, (letter) => letter.charCodeAt(0));
}
