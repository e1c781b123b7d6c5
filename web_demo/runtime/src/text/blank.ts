/** What Python takes for white space, which is not what JavaScript does: the separators of ASCII are, U+FEFF is not. */

export function isBlank(letter: string): boolean {
  const code = letter.codePointAt(0)!;
  return (code >= 0x1c && code <= 0x1f) || code === 0x85 || (code !== 0xfeff && letter.trim() === "");
}

/** A text without it at both ends. */
export function strip(text: string): string {
  let [start, end] = [0, text.length];
  while (start < end && isBlank(text[start]!)) {
    start += 1;
  }
  while (end > start && isBlank(text[end - 1]!)) {
    end -= 1;
  }
  return text.slice(start, end);
}
