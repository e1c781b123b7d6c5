/** What the rules of a manifest say when they refuse one. */
import { SatchelError, shown } from "../errors.js";
import type { Tree } from "./json.js";
import { MANIFEST, shownTree } from "./kinds.js";

/** Sizes are below it. */
export const SIZE_LIMIT = 2 ** 31;

export function wrong(name: string, value: Tree | undefined, expected: string): SatchelError {
  return SatchelError.bundle(`${MANIFEST}: ${name} = ${shownTree(value)}; expected ${expected}`);
}

export function checkIds(name: string, ids: readonly (number | null)[], vocabSize: number): void {
  for (const id of ids) {
    if (id !== null && !(id >= 0 && id < vocabSize)) {
      throw SatchelError.bundle(`${MANIFEST}: ${name}: id ${shown(id)} is outside 0..${vocabSize - 1}`);
    }
  }
}
