/** Texts, sounds and images that a file of cases describes in a few numbers, so that every runtime makes the same. */
import type { Pixels } from "../../src/models.js";

type Given = Readonly<Record<string, unknown>>;

/** A text: itself, its UTF-16 units where it holds half a pair, or a piece so many times. */
export function madeText(given: unknown): string {
  if (typeof given !== "object" || given === null) {
    return given as string;
  }
  const { units, repeat, times } = given as Given;
  return units === undefined
    ? (repeat as string).repeat(times as number)
    : String.fromCharCode(...(units as number[]));
}

/** Texts, pairs of texts among them. */
export function madeTexts(given: unknown): unknown {
  return Array.isArray(given)
    ? given.map((one) => (Array.isArray(one) ? one.map(madeText) : madeText(one)))
    : given;
}

const LOUD = 8000;

export function madeSound(given: Given, rate: number): Float32Array {
  const [count, seed] = [given.samples as number, given.seed as number];
  const [from, to] = (given.silence as [number, number] | undefined) ?? [0, 0];
  return Float32Array.from({ length: count }, (_, i) => {
    if (i >= from && i < to) {
      return 0;
    }
    let total = noise(i, seed);
    for (const tone of [0, 1]) {
      const phase = (i * (150 + 170 * tone + 90 * seed)) % rate;
      const wave = 2 * Math.abs(2 * phase - rate) - rate;
      const loudness = Math.abs(2 * ((i * (1 + tone)) % rate) - rate);
      total += Math.floor((wave * loudness * LOUD) / (rate * rate));
    }
    return total / 32768;
  });
}

function noise(i: number, seed: number): number {
  let mixed = (Math.imul(i, 2654435761) + seed * 40503) >>> 0;
  mixed = (mixed ^ (mixed >>> 15)) >>> 0;
  mixed = Math.imul(mixed, 2246822519) >>> 0;
  mixed = (mixed ^ (mixed >>> 13)) >>> 0;
  return (mixed >>> 22) - 512;
}

export function madeImage(given: Given): Pixels {
  const [height, width, seed] = ["height", "width", "seed"].map((name) => given[name] as number) as [
    number,
    number,
    number,
  ];
  const data = new Uint8Array(height * width * 3);
  for (let y = 0, at = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      const square = (((x >> 3) ^ (y >> 3)) & 1) * 64;
      for (let channel = 0; channel < 3; channel++) {
        data[at++] = (97 * seed + 31 * channel + 3 * x + 5 * y + ((x * y) >> 3) + square) % 256;
      }
    }
  }
  return { height, width, data };
}
