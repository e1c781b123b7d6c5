/** The 256 letters that stand for bytes in byte-level vocabularies: printable Latin-1 for itself, the rest from U+0100 on. */
import { type AlignedText, Change } from "./aligned.js";

export const SPACE_LETTER = 0x120;
const letters: number[] = [];
const bytes = new Map<number, number>();
{
  let next = 0x100;
  for (let byte = 0; byte < 256; byte++) {
    const printable = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte <= 0xac) || byte >= 0xae;
    letters.push(printable ? byte : next++);
    bytes.set(letters[byte]!, byte);
  }
}

/** The byte that a letter stands for, undefined where it is none of these letters. */
export function byteOf(letter: number): number | undefined {
  return bytes.get(letter);
}

/** The bytes of a character in UTF-8. */
export function utf8(code: number): number[] {
  if (code < 0x80) {
    return [code];
  }
  if (code < 0x800) {
    return [0xc0 | (code >> 6), 0x80 | (code & 63)];
  }
  if (code < 0x10000) {
    return [0xe0 | (code >> 12), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63)];
  }
  return [0xf0 | (code >> 18), 0x80 | ((code >> 12) & 63), 0x80 | ((code >> 6) & 63), 0x80 | (code & 63)];
}

/** Spells a text by the letters of its UTF-8 bytes. */
export function spell(text: AlignedText): void {
  if (text.isAligned && text.chars.every((char) => char < 0x80)) {
    text.chars = text.chars.map((char) => letters[char]!);
    return;
  }
  const change = new Change();
  for (const char of text.chars) {
    utf8(char).forEach((byte, i) => {
      change.add(letters[byte]!, i === 0 ? 0 : 1);
    });
  }
  text.transform(change);
}
