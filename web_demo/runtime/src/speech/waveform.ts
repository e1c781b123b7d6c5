/** Sound becomes a mono waveform at the rate a model wants. Knows no model. */
import { SatchelError, shown } from "../errors.js";
import { resampled } from "./resampler.js";
import { readWav } from "./wav.js";

const RATES = [1_000, 768_000] as const; // samples per second that make sense
const MOST_HOURS = 12;
const LOUDEST = 100; // samples lie between -1 and 1; a little above is only too loud

/**
 * Samples at `rate` per second, of the bytes of a WAV file or of samples at `sampleRate`. Raises USAGE for no sound, one cut short, or
 * samples that are not finite.
 */
export function waveform(sound: unknown, rate: number, sampleRate: number | undefined): Float32Array {
  if (sound instanceof Float32Array) {
    if (sampleRate === undefined || sampleRate === null) {
      throw SatchelError.usage("an array needs sampleRate, its samples per second");
    }
    return finished(checked(sound, "the array"), sampleRate, rate, "the array");
  }
  if (sampleRate !== undefined && sampleRate !== null) {
    throw SatchelError.usage("sampleRate is for arrays; a file says its own");
  }
  if (!(sound instanceof Uint8Array)) {
    throw SatchelError.usage(
      `a ${sound === null ? "null" : typeof sound} is no sound: give the bytes of a WAV file as a Uint8Array, or samples as a ` +
        "Float32Array",
    );
  }
  const name = "the sound";
  const wav = readWav(sound, name);
  checkRate(wav.rate, name);
  if (wav.frames > MOST_HOURS * 3600 * wav.rate) {
    throw SatchelError.limit(`${name} is longer than ${MOST_HOURS} hours: split it`);
  }
  return finished(checked(wav.mono(), name), wav.rate, rate, name);
}

function finished(samples: Float32Array, from: number, to: number, name: string): Float32Array {
  checkRate(from, name);
  const wanted = resampled(samples, from, to);
  if (wanted.length === 0) {
    throw SatchelError.usage("the sound has no samples");
  }
  return wanted;
}

function checked(samples: Float32Array, name: string): Float32Array {
  let loudest = 0;
  for (const sample of samples) {
    const size = Math.abs(sample);
    if (!Number.isFinite(size)) {
      throw SatchelError.usage(`${name} has a sample that is not a number`);
    }
    loudest = Math.max(loudest, size);
  }
  if (loudest > LOUDEST) {
    throw SatchelError.usage(
      `${name} has samples up to ${loudest.toPrecision(4)}; expected -1 to 1: divide 16-bit ones by 32768`,
    );
  }
  return samples;
}

function checkRate(rate: unknown, name: string): void {
  const [least, most] = RATES;
  if (!Number.isInteger(rate) || (rate as number) < least || (rate as number) > most) {
    throw SatchelError.usage(`${name} has ${shown(rate)} samples per second; expected ${least}..${most}`);
  }
}
