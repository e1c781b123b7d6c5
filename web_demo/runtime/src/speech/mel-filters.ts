/** Bands of pitch over a spectrum, evenly on Slaney's scale. */

/** Hz, of the topmost band. */
export const HIGHEST_PITCH = 8000;
const LINEAR_BELOW = 1000; // Slaney's scale is linear up to 1000 Hz, which are 15 mels
const LINEAR_BANDS = 15;
const LOG_STEP = 27 / Math.log(6.4); // and logarithmic above

/** A triangle over the frequencies of a spectrum, from the first that it hears. */
export interface MelFilter {
  readonly start: number;
  readonly weights: Float64Array;
}

/** Triangles of equal area over the n_fft / 2 + 1 frequencies of a spectrum. */
export function melFilters(mels: number, samplingRate: number, size: number): MelFilter[] {
  const corners = cornersOf(mels);
  const pitches = evenly(Math.floor(samplingRate / 2), size / 2 + 1);
  return Array.from({ length: mels }, (_, band) => {
    const [low, middle, high] = [corners[band]!, corners[band + 1]!, corners[band + 2]!];
    const weights = pitches.map((pitch) => {
      const weight = Math.min((pitch - low) / (middle - low), (high - pitch) / (high - middle));
      return Math.max(0, weight) * (2 / (high - low));
    });
    const start = weights.findIndex((weight) => weight > 0);
    const end = weights.findLastIndex((weight) => weight > 0) + 1;
    return { start: Math.max(0, start), weights: weights.slice(Math.max(0, start), end) };
  });
}

function cornersOf(mels: number): Float64Array {
  const top = LINEAR_BANDS + LOG_STEP * Math.log(HIGHEST_PITCH / LINEAR_BELOW);
  return evenly(top, mels + 2).map((mel) =>
    mel < LINEAR_BANDS
      ? (mel * LINEAR_BELOW) / LINEAR_BANDS
      : LINEAR_BELOW * Math.exp((mel - LINEAR_BANDS) / LOG_STEP),
  );
}

function evenly(last: number, count: number): Float64Array {
  const step = last / (count - 1);
  return Float64Array.from({ length: count }, (_, i) => (i === count - 1 ? last : i * step));
}
