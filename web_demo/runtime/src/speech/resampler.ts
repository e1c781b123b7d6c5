/**
 * Samples at another rate: a low-pass filter under a Kaiser window, worked out for every place that a new sample can have between
 * two old ones. What is below 0.913 of the lower rate's half passes, what is above that half is 126 dB down.
 */
import { SatchelError } from "../errors.js";

const PASS = 0.913; // of half the lower rate
const REJECTED = 126; // dB
const BETA = 0.1102 * (REJECTED - 8.7);
const MOST_WEIGHTS = 1 << 22;

/** Raises USAGE for two rates that go together too badly. */
export function resampled(samples: Float32Array, from: number, to: number): Float32Array {
  if (from === to) {
    return samples;
  }
  const common = divisor(from, to);
  const [up, down] = [to / common, from / common];
  const lower = Math.min(1, to / from);
  const transition = ((1 - PASS) * lower) / 2;
  const cutoff = (((1 + PASS) / 2) * lower) / 2; // cycles per old sample
  const reach = Math.ceil((REJECTED - 7.95) / (2.285 * 2 * Math.PI * transition) / 2);
  if (up * 2 * reach > MOST_WEIGHTS) {
    throw SatchelError.usage(`the sound has ${from} samples per second; resample it to ${to}`);
  }
  const phases: (Float64Array | undefined)[] = [];
  const out = new Float32Array(Math.floor((2 * samples.length * up + down) / (2 * down)));
  for (let i = 0; i < out.length; i++) {
    const place = Math.floor((i * down) / up);
    const phase = (i * down) % up;
    phases[phase] ??= weightsOf(phase / up, reach, cutoff);
    const weights = phases[phase];
    const first = place - reach + 1; // what lies outside of the sound is silent
    let sum = 0;
    for (let k = Math.max(0, -first); k < Math.min(weights.length, samples.length - first); k++) {
      sum += samples[first + k]! * weights[k]!;
    }
    out[i] = sum;
  }
  return out;
}

function divisor(a: number, b: number): number {
  return b === 0 ? a : divisor(b, a % b);
}

/** Of the old samples around a new one, which lies `phase` behind the one at `reach` - 1. */
function weightsOf(phase: number, reach: number, cutoff: number): Float64Array {
  const weights = Float64Array.from({ length: 2 * reach }, (_, i) => {
    const distance = i - reach + 1 - phase;
    const angle = 2 * Math.PI * cutoff * distance;
    const within = distance / reach;
    return (
      (angle === 0 ? 1 : Math.sin(angle) / angle) * bessel(BETA * Math.sqrt(Math.max(0, 1 - within ** 2)))
    );
  });
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}

/** The modified Bessel function of the first kind, of order 0. */
function bessel(x: number): number {
  let sum = 1;
  for (let i = 1, term = 1; term > sum * 1e-17; i++) {
    term *= (x / (2 * i)) ** 2;
    sum += term;
  }
  return sum;
}
