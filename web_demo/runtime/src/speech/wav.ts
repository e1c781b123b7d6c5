/** A WAV file of whole numbers (8, 16, 24 or 32 bits), floats (32 or 64) or the bytes of telephones. */
import { SatchelError } from "../errors.js";

const OPEN_END = 0x7fff0000; // a longer one was written to a pipe, before anybody knew its length
const PCM = 1;
const FLOAT = 3;
const A_LAW = 6;
const MU_LAW = 7;
const EXTENSIBLE = 0xfffe;
const MOST_CHANNELS = 1024;
const GUID = "000000001000800000aa00389b71"; // what follows the kind in an extensible header
const BIAS = 0x84; // of mu-law

export interface Wav {
  readonly rate: number;
  readonly frames: number;
  /** The mean of all channels. */
  mono(): Float32Array;
}

/** Reads the header. Raises USAGE for another format, and for a file that is cut short. */
export function readWav(bytes: Uint8Array, name: string): Wav {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const text = (at: number) => String.fromCharCode(...bytes.subarray(at, at + 4));
  if (bytes.length < 12 || text(0) !== "RIFF" || text(8) !== "WAVE") {
    throw SatchelError.usage(`cannot read ${name}: damaged, or no WAV file; this runtime reads no other`);
  }
  let format: DataView | undefined;
  for (let at = 12; ; ) {
    if (at + 8 > bytes.length) {
      throw damaged(name);
    }
    const size = view.getUint32(at + 4, true);
    const start = at + 8;
    if (text(at) === "data") {
      return new Samples(view, start, size, format, name);
    }
    if (text(at) === "fmt ") {
      format = new DataView(bytes.buffer, bytes.byteOffset + start, Math.min(size, bytes.length - start, 40));
    }
    at = start + size + (size % 2);
  }
}

class Samples implements Wav {
  readonly rate: number;
  readonly frames: number;
  private readonly channels: number;
  private readonly kind: number;
  private readonly width: number; // bytes of a sample

  constructor(
    private readonly view: DataView,
    private readonly start: number,
    size: number,
    format: DataView | undefined,
    name: string,
  ) {
    if (format === undefined || format.byteLength < 16) {
      throw damaged(name);
    }
    this.channels = format.getUint16(2, true);
    this.rate = format.getUint32(4, true);
    const bits = format.getUint16(14, true);
    this.width = bits / 8;
    this.kind = kindOf(format);
    const { kind, width, channels } = this;
    const known =
      (kind === PCM && [1, 2, 3, 4].includes(width)) ||
      (kind === FLOAT && (width === 4 || width === 8)) ||
      ((kind === A_LAW || kind === MU_LAW) && width === 1);
    if (!known) {
      throw SatchelError.usage(
        `cannot read ${name}: its samples are of kind ${kind} with ${bits} bits; known: whole numbers of 8 to 32, ` +
          "floats of 32 or 64, A-law and mu-law",
      );
    }
    if (channels < 1 || channels > MOST_CHANNELS) {
      throw damaged(name);
    }
    const there = view.byteLength - start;
    if (size < OPEN_END && size > there) {
      throw SatchelError.usage(`${name} is cut short: ${size - there} bytes of its samples are missing`);
    }
    this.frames = Math.floor(Math.min(size, there) / (channels * width));
  }

  mono(): Float32Array {
    const { channels, width, start, frames } = this;
    const mono = new Float32Array(frames);
    for (let i = 0; i < frames; i++) {
      let sum = 0;
      for (let channel = 0; channel < channels; channel++) {
        sum = Math.fround(sum + this.sample(start + (i * channels + channel) * width));
      }
      mono[i] = sum / channels;
    }
    return mono;
  }

  private sample(at: number): number {
    const { view, kind, width } = this;
    if (kind === FLOAT) {
      return width === 4 ? view.getFloat32(at, true) : Math.fround(view.getFloat64(at, true));
    }
    if (kind === A_LAW || kind === MU_LAW) {
      return kind === A_LAW ? aLaw(view.getUint8(at)) : muLaw(view.getUint8(at));
    }
    switch (width) {
      case 1:
        return (view.getUint8(at) - 128) / 128;
      case 2:
        return view.getInt16(at, true) / 32768;
      case 3:
        return (view.getInt16(at + 1, true) * 256 + view.getUint8(at)) / 8388608;
      default:
        return Math.fround(view.getInt32(at, true)) / 2147483648;
    }
  }
}

function kindOf(format: DataView): number {
  const kind = format.getUint16(0, true);
  if (kind !== EXTENSIBLE || format.byteLength < 40) {
    return kind;
  }
  const rest = Array.from({ length: 14 }, (_, i) =>
    format
      .getUint8(26 + i)
      .toString(16)
      .padStart(2, "0"),
  );
  return rest.join("") === GUID ? format.getUint16(24, true) : kind;
}

/** A sample of a telephone in North America or Japan (ITU-T G.711): a sign, a power of two and a step within it. */
function muLaw(coded: number): number {
  const bits = ~coded & 0xff;
  const size = ((((bits & 0x0f) << 3) + BIAS) << ((bits >> 4) & 7)) - BIAS;
  return ((bits & 0x80) !== 0 ? -size : size) / 32768;
}

/** Elsewhere. */
function aLaw(coded: number): number {
  const bits = coded ^ 0x55;
  const power = (bits >> 4) & 7;
  const step = ((bits & 0x0f) << 4) + 8;
  const size = power === 0 ? step : (step + 0x100) << (power - 1);
  return ((bits & 0x80) !== 0 ? size : -size) / 32768;
}

function damaged(name: string): SatchelError {
  return SatchelError.usage(`cannot read ${name}: damaged`);
}
