/** A waveform becomes what a graph hears, as the manifest's `audio` says. Knows no model and no file. */
import { SatchelError, shown } from "../errors.js";
import { HIGHEST_PITCH, type MelFilter, melFilters } from "./mel-filters.js";
import { RealTransform } from "./transform.js";

const FLOOR = 1e-10; // of a band's energy, before the logarithm
const RANGE = 8; // decades below the loudest band that are kept apart
const LIMITS: Readonly<Record<string, readonly [number, number]>> = {
  sampling_rate: [2 * HIGHEST_PITCH, 384_000],
  mels: [1, 512],
  n_fft: [16, 1 << 14],
  hop_length: [1, 1 << 14],
  seconds: [1, 300],
};

/** A log-mel spectrogram, [mels, frames], band by band. */
export class Features {
  readonly values: Float32Array;

  constructor(
    readonly mels: number,
    readonly frames: number,
  ) {
    try {
      this.values = new Float32Array(mels * frames);
    } catch {
      throw SatchelError.limit("no memory for the features of so long a sound: split it", "OUT_OF_MEMORY");
    }
  }

  /** The frames of each band. */
  get bands(): Float32Array[] {
    return Array.from({ length: this.mels }, (_, band) =>
      this.values.subarray(band * this.frames, (band + 1) * this.frames),
    );
  }

  /** `count` frames from `start` on, [mels, count]. */
  window(start: number, count: number): Float32Array {
    const window = new Float32Array(this.mels * count);
    for (const [band, values] of this.bands.entries()) {
      window.set(values.subarray(start, start + count), band * count);
    }
    return window;
  }
}

/**
 * The log-mel spectrogram of Whisper (Radford et al., 2022): windows of `n_fft` samples every `hop_length`, their energies in
 * `mels` bands of Slaney's scale, log10 cut 8 decades below the loudest, then (x + 4) / 4. The model hears `seconds` at once.
 */
export class AudioFormat {
  readonly samplingRate: number;
  readonly mels: number;
  readonly size: number;
  readonly hopLength: number;
  readonly seconds: number;
  private readonly filters: readonly MelFilter[];

  /** Reads the manifest's `audio`; BUNDLE says what is wrong with it. */
  constructor(raw: Readonly<Record<string, unknown>>) {
    const names = Object.keys(raw).sort();
    const known = Object.keys(LIMITS).sort();
    if (names.join() !== known.join()) {
      throw SatchelError.bundle(
        `manifest.json: audio has ${shown(names.join(", "))}, not ${known.join(", ")}`,
      );
    }
    const number = (name: string): number => {
      const value = raw[name];
      const [least, largest] = LIMITS[name]!;
      if (!Number.isInteger(value) || (value as number) < least || (value as number) > largest) {
        throw wrong(`${name} = ${shown(value)}; expected ${least}..${largest}`);
      }
      return value as number;
    };
    this.samplingRate = number("sampling_rate");
    this.mels = number("mels");
    this.size = number("n_fft");
    this.hopLength = number("hop_length");
    this.seconds = number("seconds");
    if (this.size % 2 !== 0 || this.hopLength > this.size) {
      throw wrong(`n_fft = ${this.size}; expected an even number from hop_length`);
    }
    this.filters = melFilters(this.mels, this.samplingRate, this.size);
    if (this.filters.some(({ weights }) => weights.length === 0)) {
      throw wrong(`mels = ${this.mels} are too many for n_fft = ${this.size}: some would be empty`);
    }
  }

  /** Samples of what the model hears at once. */
  get windowSamples(): number {
    return this.seconds * this.samplingRate;
  }

  /** Frames of what the model hears at once. */
  get windowFrames(): number {
    return Math.floor(this.windowSamples / this.hopLength);
  }

  /**
   * The features of a mono waveform at `samplingRate`. So many samples of `silence` follow, or as many as fill
   * `windowSamples`. The loudest band is that of the whole waveform, also where it is longer than a window.
   */
  logMel(samples: Float32Array, silence = 0): Features {
    const { size, hopLength, mels, filters } = this;
    const half = size / 2;
    const count = Math.max(samples.length + silence, this.windowSamples);
    const end = samples.length < count - half ? half + samples.length : count + size;
    const frames = Math.floor(count / hopLength);
    const sounding = Math.min(frames, Math.ceil(end / hopLength)); // frames that are not all 0
    const features = new Features(mels, frames);
    const { values } = features;
    values.fill(Math.log10(FLOOR));
    const transform = new RealTransform(size);
    const taper = taperOf(size);
    const frame = new Float64Array(size);
    const energies = new Float64Array(half + 1);
    let loudest = frames > sounding ? Math.fround(Math.log10(FLOOR)) : Number.NEGATIVE_INFINITY;
    for (let number = 0; number < sounding; number++) {
      const first = number * hopLength - half;
      for (let i = 0; i < size; i++) {
        frame[i] = sampleAt(samples, first + i, count) * taper[i]!;
      }
      // In 64 bits: what lies near the cut is 1e-8 of the loudest, too little for 32.
      transform.energies(frame, energies);
      for (let band = 0; band < mels; band++) {
        const { start, weights } = filters[band]!;
        let energy = 0;
        for (let i = 0; i < weights.length; i++) {
          energy += energies[start + i]! * weights[i]!;
        }
        const value = Math.fround(Math.log10(Math.max(energy, FLOOR)));
        values[band * frames + number] = value;
        loudest = Math.max(loudest, value);
      }
    }
    const cut = Math.fround(loudest - RANGE);
    for (let i = 0; i < values.length; i++) {
      values[i] = Math.fround(Math.max(values[i]!, cut) + 4) / 4;
    }
    return features;
  }
}

/** A sample of a waveform that silence fills up to `count`, mirrored at both ends. */
function sampleAt(samples: Float32Array, place: number, count: number): number {
  const mirrored = place < 0 ? -place : place >= count ? 2 * count - 2 - place : place;
  return mirrored < samples.length ? samples[mirrored]! : 0;
}

/** Hann's window as numpy's hanning of one more makes it, from the middle. */
function taperOf(size: number): Float64Array {
  return Float64Array.from(
    { length: size },
    (_, i) => 0.5 + 0.5 * Math.cos((Math.PI * (2 * i - size)) / size),
  );
}

function wrong(what: string): SatchelError {
  return SatchelError.bundle(`manifest.json: audio: ${what}`);
}
