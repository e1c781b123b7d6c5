import assert from "node:assert/strict";
import { test } from "node:test";
import { SatchelError } from "../src/errors.js";
import { AudioFormat } from "../src/speech/audio-format.js";
import { resampled } from "../src/speech/resampler.js";
import { codeOf } from "../src/speech/spoken.js";
import { Timestamps } from "../src/speech/timestamps.js";
import { RealTransform } from "../src/speech/transform.js";
import { waveform } from "../src/speech/waveform.js";

function wav(format: readonly number[], data: Uint8Array, promised = data.length): Uint8Array {
  const [kind, channels, rate, bits] = format as [number, number, number, number];
  const bytes = new Uint8Array(44 + data.length);
  const view = new DataView(bytes.buffer);
  const word = (at: number, text: string) => bytes.set(new TextEncoder().encode(text), at);
  word(0, "RIFF");
  word(8, "WAVE");
  word(12, "fmt ");
  view.setUint32(16, 16, true);
  view.setUint16(20, kind, true);
  view.setUint16(22, channels, true);
  view.setUint32(24, rate, true);
  view.setUint16(34, bits, true);
  word(36, "data");
  view.setUint32(40, promised, true);
  bytes.set(data, 44);
  return bytes;
}

const refused = (code: string) => (error: unknown) => error instanceof SatchelError && error.code === code;

test("the energies are those of the transform written out, at any even length", () => {
  for (const size of [16, 30, 44, 400]) {
    const samples = Float64Array.from({ length: size }, (_, i) => Math.sin(i * i) + 0.1 * i);
    const energies = new Float64Array(size / 2 + 1);
    new RealTransform(size).energies(samples, energies);
    for (const [k, energy] of energies.entries()) {
      let [x, y] = [0, 0];
      samples.forEach((sample, i) => {
        x += sample * Math.cos((2 * Math.PI * k * i) / size);
        y += sample * Math.sin((2 * Math.PI * k * i) / size);
      });
      assert.ok(Math.abs(energy - x * x - y * y) < 1e-8 * Math.max(1, energy), `${size}: ${k}`);
    }
  }
});

test("samples of all kinds are read, and channels become their mean", () => {
  const of = (format: number[], data: ArrayLike<number>) =>
    Array.from(waveform(wav(format, Uint8Array.from(data)), 16000, undefined));
  assert.deepEqual(of([1, 1, 16000, 8], [0, 128, 192]), [-1, 0, 0.5]);
  assert.deepEqual(of([1, 1, 16000, 16], [0, 0x40, 0, 0x80]), [0.5, -1]);
  assert.deepEqual(of([1, 1, 16000, 24], [0, 0, 0x40, 0, 0, 0x80]), [0.5, -1]);
  assert.deepEqual(of([1, 1, 16000, 32], [0, 0, 0, 0x40]), [0.5]);
  assert.deepEqual(of([3, 1, 16000, 32], new Uint8Array(Float32Array.of(0.25).buffer)), [0.25]);
  assert.deepEqual(of([3, 1, 16000, 64], new Uint8Array(Float64Array.of(0.25).buffer)), [0.25]);
  assert.deepEqual(of([1, 2, 16000, 16], [0, 0x40, 0, 0]), [0.25]);
  assert.deepEqual(of([7, 1, 16000, 8], [0xff, 0x00]), [0, -32124 / 32768]);
  assert.deepEqual(of([6, 1, 16000, 8], [0xd5, 0xaa]), [8 / 32768, 32256 / 32768]);
});

test("what is no sound is refused", () => {
  const usage = refused("USAGE");
  assert.throws(() => waveform(new Uint8Array(100), 16000, undefined), usage);
  assert.throws(
    () => waveform(wav([1, 1, 16000, 16], new Uint8Array(8), 20), 16000, undefined),
    /cut short: 12 bytes/,
  );
  assert.throws(() => waveform(wav([1, 1, 16000, 12], new Uint8Array(8)), 16000, undefined), usage);
  assert.throws(() => waveform(wav([1, 1, 10, 16], new Uint8Array(8)), 16000, undefined), usage);
  assert.throws(() => waveform(new Float32Array(8), 16000, undefined), usage);
  assert.throws(() => waveform(new Float32Array(0), 16000, 16000), usage);
  assert.throws(() => waveform(Float32Array.of(Number.NaN), 16000, 16000), usage);
  assert.throws(() => waveform(Float32Array.of(200), 16000, 16000), usage);
  assert.throws(() => waveform("a.wav", 16000, undefined), usage);
});

test("a tone stays the tone it is at another rate", () => {
  for (const [from, to] of [
    [44100, 16000],
    [8000, 16000],
    [48000, 16000],
  ] as const) {
    const tone = (rate: number, length: number) =>
      Float32Array.from({ length }, (_, i) => Math.sin((2 * Math.PI * 440 * i) / rate));
    const found = resampled(tone(from, from), from, to);
    assert.equal(found.length, to);
    const exact = tone(to, to);
    for (let i = 1000; i < to - 1000; i++) {
      assert.ok(Math.abs(found[i]! - exact[i]!) < 1e-5, `${from} ${i}`);
    }
  }
});

test("silence has the floor's features, and strange formats are refused", () => {
  const raw = { sampling_rate: 16000, mels: 8, n_fft: 400, hop_length: 160, seconds: 1 };
  const features = new AudioFormat(raw).logMel(new Float32Array(10));
  assert.equal(features.frames, 100);
  assert.deepEqual(new Set(features.values), new Set([-1.5]));
  for (const other of [{ mels: 0 }, { mels: 400 }, { n_fft: 401 }, { hop_length: 401 }, { more: 1 }]) {
    assert.throws(() => new AudioFormat({ ...raw, ...other }), refused("BUNDLE"));
  }
});

test("timestamps cut a window into segments", () => {
  const times = new Timestamps(100, 50, 10);
  assert.deepEqual(times.cut([1, 2], 40), { cuts: [{ start: 0, end: 40, tokens: [1, 2] }], following: 40 });
  const open = times.cut([100, 1, 105, 105, 2], 40);
  assert.deepEqual(open, { cuts: [{ start: 0, end: 5, tokens: [100, 1, 105] }], following: 5 });
  const closed = times.cut([100, 1, 105, 105, 2, 110], 40);
  assert.deepEqual(closed.cuts.at(-1), { start: 5, end: 10, tokens: [105, 2, 110] });
  assert.equal(closed.following, 40);
  const scores = new Float32Array(120);
  times.change(scores, [7], 0);
  assert.deepEqual(
    [...scores.keys()].filter((id) => scores[id] === 0),
    [...Array(11).keys()].map((i) => 100 + i),
  );
});

test("languages have codes, names and tokens", () => {
  const known = ["de", "yue", "ht"];
  for (const [asked, code] of [
    ["DE ", "de"],
    ["german", "de"],
    ["<|yue|>", "yue"],
    ["Haitian Creole", "ht"],
  ] as const) {
    assert.equal(codeOf(asked, known), code);
  }
  assert.equal(codeOf("english", known), undefined);
});
