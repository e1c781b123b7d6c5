/** A small number for every code point, kept as runs; the first plane is spread out when it is first asked for. */
const PLANE = 0x10000;
const LAST = 0x110000;
const DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz+-";

/** Numbers of five bits a digit, the lowest first; a digit from 32 on says that another follows. */
export function* numbers(text: string): Generator<number, void, void> {
  let [value, shift] = [0, 0];
  for (const letter of text) {
    const digit = DIGITS.indexOf(letter);
    value |= (digit & 31) << shift;
    shift += 5;
    if (digit < 32) {
      yield value;
      [value, shift] = [0, 0];
    }
  }
}

export class Runs {
  private readonly plane = new Uint8Array(PLANE);
  private readonly starts: number[] = []; // of the runs beyond it
  private readonly values: number[] = [];

  constructor(text: string) {
    const read = numbers(text);
    let at = 0;
    for (let next = read.next(); next.done !== true; next = read.next()) {
      const end = at + (read.next().value as number);
      this.plane.fill(next.value, at, Math.min(end, PLANE));
      if (end > PLANE) {
        this.starts.push(Math.max(at, PLANE));
        this.values.push(next.value);
      }
      at = end;
    }
    if (at !== LAST) {
      throw new Error(`a table ends at ${at}`);
    }
  }

  of(code: number): number {
    if (code < PLANE) {
      return this.plane[code]!;
    }
    let [low, high] = [0, this.starts.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (this.starts[middle]! <= code) {
        low = middle;
      } else {
        high = middle;
      }
    }
    return this.values[low]!;
  }
}
