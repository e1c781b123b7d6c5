/**
 * NFD, NFKD, NFC and NFKC, which also say of each character how it came about. Decompositions and compositions of
 * characters are the platform's, which do not change between versions of Unicode; which characters have one is in tables,
 * since each version has more of them.
 */
import { type AlignedText, Change, codePoints } from "./aligned.js";
import { decomposes, rank } from "./letters.js";

export type FormName = "NFD" | "NFKD" | "NFC" | "NFKC";

export function unicodeForm(form: FormName): (text: AlignedText) => void {
  const compatible = form.startsWith("NFK");
  const composing = form.endsWith("C");
  const apart = compatible ? "NFKD" : "NFD";
  // Below these nothing decomposes, and nothing composes with what stands before it.
  const quiet = compatible ? 0xa0 : composing ? 0x300 : 0xc0;
  return (text) => {
    if (text.isAligned && text.chars.every((char) => char < quiet)) {
      return;
    }
    const change = new Change();
    for (const char of text.chars) {
      const parts =
        char >= 0xa0 && decomposes(char, compatible)
          ? codePoints(String.fromCodePoint(char).normalize(apart))
          : [char];
      parts.forEach((part, i) => {
        change.add(part, i === 0 ? 0 : 1);
      });
    }
    order(change);
    text.transform(composing ? composed(change) : change);
  };
}

/** Marks behind a letter in the order of their combining classes, those of one class as they come. */
function order({ chars, kinds }: Change): void {
  for (let at = 0; at < chars.length; at++) {
    const start = at;
    while (at < chars.length && rank(chars[at]!) !== 0) {
      at++;
    }
    if (at - start > 1) {
      const sorted = chars.slice(start, at).map((char, i) => ({ char, kind: kinds[start + i]! }));
      sorted.sort((a, b) => rank(a.char) - rank(b.char));
      sorted.forEach(({ char, kind }, i) => {
        chars[start + i] = char;
        kinds[start + i] = kind;
      });
    }
  }
}

function composed(parts: Change): Change {
  const change = new Change();
  let base = -1; // where the last starter stands in `change`
  let before = 0; // the rank of what stands last, behind the starter
  parts.chars.forEach((char, i) => {
    const kind = parts.kinds[i]!;
    const own = rank(char);
    const blocked = change.chars.length - 1 > base && before >= own;
    if (base >= 0 && !blocked) {
      const made = compose(change.chars[base]!, char);
      if (made !== undefined) {
        change.chars[base] = made;
        change.kinds[base] = change.kinds[base]! + kind - 1;
        return;
      }
    }
    change.add(char, kind);
    if (own === 0) {
      base = change.chars.length - 1;
    }
    before = own;
  });
  return change;
}

/** What two characters compose into, undefined where they do not. */
function compose(first: number, second: number): number | undefined {
  const others = second === 0x3099 || second === 0x309a || second === 0x1b35;
  if (second < 0x300 || (second > 0x1200 && second < 0x110ba && !others)) {
    return undefined;
  }
  const made = codePoints(String.fromCodePoint(first, second).normalize("NFC"));
  return made.length === 1 && decomposes(made[0]!, false) ? made[0] : undefined;
}
