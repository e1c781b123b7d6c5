import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { SatchelError } from "../src/errors.js";
import { ImageFormat } from "../src/image/image-format.js";
import { resized } from "../src/image/resize.js";
import { madeImage } from "./conformance/made-inputs.js";

/** What Pillow 13 makes of 97 x 53 pixels: height, width, filter, and how the hash of its levels begins, as bytes and as floats. */
const PILLOW = [
  [41, 67, 0, "b6976d16bc17fa38", "53733ed03c72742b"],
  [41, 67, 1, "33d01f42155e4476", "0bf374d94a29ba89"],
  [41, 67, 2, "f1765fde5514e8f6", "bbe7728cae3f621e"],
  [41, 67, 3, "2e46a2b3e39b07b1", "16e585d1bbfdff0f"],
  [41, 67, 4, "f102603610ae9af7", "773fe1afd1e8856e"],
  [41, 67, 5, "b5362c012dc7a949", "36f78a90d457a786"],
  [20, 31, 0, "e1715d4048f8f6c8", "0c95e2cf5da4f8e8"],
  [20, 31, 1, "9230b221bcb203ff", "941947b89472a811"],
  [20, 31, 2, "9c0649af8608a05a", "5e693fb2c86bac3d"],
  [20, 31, 3, "489f9c03f208c917", "744aad70f1d45b08"],
  [20, 31, 4, "db515881e17f3985", "7ee16e0a4cedaedd"],
  [20, 31, 5, "36832c95c68a07a7", "6542ccb7815b4aee"],
] as const;

const RAW = {
  ...{ size: [2, 2], resize: null, shortest_edge: null, longest_edge: null, resample: 2 },
  ...{ rescale: 1, mean: [0, 0, 0], std: [1, 1, 1] },
};

function hashed(levels: Uint8Array | Float32Array): string {
  const bytes = new Uint8Array(levels.buffer, levels.byteOffset, levels.byteLength);
  return createHash("sha256").update(bytes).digest("hex").slice(0, 16);
}

/** The first channel of what comes out. */
function red(form: object, width: number, height: number, levels: readonly number[]): number[] {
  const data = Uint8Array.from(levels.flatMap((level) => [level, 0, 0]));
  const pixels = new ImageFormat({ ...RAW, ...form }).pixels({ width, height, data });
  return [...pixels.subarray(0, pixels.length / 3)];
}

test("every filter makes Pillow's pixels, to the last bit", () => {
  const { width, height, data } = madeImage({ height: 97, width: 53, seed: 1 });
  const bytes = { width, height, levels: data as Uint8Array };
  const floats = {
    width,
    height,
    levels: Float32Array.from({ length: width * height }, (_, i) => data[3 * i]!),
  };
  for (const [rows, columns, filter, ofBytes, ofFloats] of PILLOW) {
    assert.equal(hashed(resized(bytes, rows, columns, filter).levels), ofBytes, `bytes ${filter}`);
    assert.equal(hashed(resized(floats, rows, columns, filter).levels), ofFloats, `floats ${filter}`);
  }
});

test("the middle is kept, and what is small lies in the middle of zeros", () => {
  const four = [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16];
  assert.deepEqual(red({}, 4, 4, four), [6, 7, 10, 11]);
  assert.deepEqual(red({ size: [1, 1] }, 4, 4, four), [6]);
  assert.deepEqual(red({ size: [1, 1], first: false }, 4, 4, four), [11]);
  assert.deepEqual(red({ size: [2, 2] }, 1, 1, [7]), [0, 0, 0, 7]);
  assert.deepEqual(red({ size: [3, 3] }, 1, 1, [7]), [0, 0, 0, 0, 7, 0, 0, 0, 0]);
  assert.deepEqual(red({ size: [1, 1], resize: [1, 1] }, 2, 1, [1, 2]), [2]);
  assert.deepEqual(red({ size: [1, 1], resize: [1, 1], rounded: false }, 2, 1, [1, 2]), [1.5]);
  assert.deepEqual(red({ size: [1, 2], shortest_edge: 1 }, 4, 2, [1, 1, 3, 3, 1, 1, 3, 3]), [1, 3]);
});

test("what is transparent lies on white", () => {
  const form = new ImageFormat({ ...RAW, size: [1, 3] });
  const data = Uint8Array.of(9, 9, 9, 0, 10, 20, 30, 255, 0, 0, 0, 128);
  assert.deepEqual(
    [...form.pixels({ width: 3, height: 1, data })],
    [255, 10, 127, 255, 20, 127, 255, 30, 127],
  );
});

test("what is no image, and what is no format", () => {
  const refused = (code: string) => (error: unknown) => error instanceof SatchelError && error.code === code;
  const form = new ImageFormat(RAW);
  for (const image of [
    { width: 2, height: 2, data: new Uint8Array(5) },
    { width: 0, height: 2, data: new Uint8Array(0) },
    { width: 1.5, height: 2, data: new Uint8Array(9) },
    { width: 1, height: 1, data: [1, 2, 3] as unknown as Uint8Array },
  ]) {
    assert.throws(() => form.pixels(image), refused("USAGE"));
  }
  const long = new ImageFormat({ ...RAW, shortest_edge: 4096 });
  assert.throws(() => long.pixels({ width: 9000, height: 1, data: new Uint8Array(27000) }), refused("USAGE"));
  for (const wrong of [
    { size: [0, 2] },
    { resize: [2] },
    { resize: [2, 2], shortest_edge: 2 },
    { longest_edge: 4 },
    { resample: 6 },
    { std: [1, 1, 0] },
    { mean: [1, 1] },
    { rounded: 1 },
    { crop: 1 },
  ]) {
    assert.throws(() => new ImageFormat({ ...RAW, ...wrong }), refused("BUNDLE"));
  }
});
