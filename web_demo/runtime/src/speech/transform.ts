/**
 * The discrete Fourier transform of real numbers, of any even length: a complex one of half the length by its prime factors
 * (Cooley and Tukey, 1965).
 */
export class RealTransform {
  private readonly half: number;
  private readonly factors: readonly number[];
  private readonly order: Int32Array; // of the complex numbers, before they are combined
  private readonly turns: Turns; // of -2 pi k / half
  private readonly fine: Turns; // of -2 pi k / size
  private readonly real: Float64Array;
  private readonly imaginary: Float64Array;
  private readonly sums: Float64Array; // pairs

  constructor(size: number) {
    const half = size / 2;
    this.half = half;
    this.factors = factorsOf(half);
    this.turns = turned(half, half);
    this.fine = turned(half + 1, size);
    this.order = new Int32Array(half);
    this.place(0, 1, 0, half, 0);
    this.real = new Float64Array(half);
    this.imaginary = new Float64Array(half);
    this.sums = new Float64Array(2 * Math.max(1, ...this.factors));
  }

  /** The energies of `samples` at the frequencies from 0 to half the sampling rate, size / 2 + 1 of them. */
  energies(samples: Float64Array, energies: Float64Array): void {
    const { half, order, real, imaginary, fine } = this;
    for (let i = 0; i < half; i++) {
      real[i] = samples[2 * order[i]!]!;
      imaginary[i] = samples[2 * order[i]! + 1]!;
    }
    this.combine(0, half, 0, 1);
    // Even and odd samples went through it as real and imaginary parts.
    for (let k = 0; k <= half; k++) {
      const a = k % half;
      const b = (half - k) % half;
      const evenReal = 0.5 * (real[a]! + real[b]!);
      const evenImaginary = 0.5 * (imaginary[a]! - imaginary[b]!);
      const oddReal = 0.5 * (imaginary[a]! + imaginary[b]!);
      const oddImaginary = -0.5 * (real[a]! - real[b]!);
      const [cosine, sine] = [fine.cosines[k]!, fine.sines[k]!];
      const x = evenReal + oddReal * cosine - oddImaginary * sine;
      const y = evenImaginary + oddReal * sine + oddImaginary * cosine;
      energies[k] = x * x + y * y;
    }
  }

  /** Writes the places from `from` on, `step` apart, in the order in which they are combined. */
  private place(from: number, step: number, at: number, length: number, level: number): void {
    if (length === 1) {
      this.order[at] = from;
      return;
    }
    const factor = this.factors[level]!;
    const part = length / factor;
    for (let i = 0; i < factor; i++) {
      this.place(from + i * step, step * factor, at + i * part, part, level + 1);
    }
  }

  /** Transforms `length` numbers from `at` on, whose parts are each transformed first. */
  private combine(at: number, length: number, level: number, step: number): void {
    if (length === 1) {
      return;
    }
    const factor = this.factors[level]!;
    const part = length / factor;
    for (let i = 0; i < factor; i++) {
      this.combine(at + i * part, part, level + 1, step * factor);
    }
    for (let k = 0; k < part; k++) {
      if (factor === 4) {
        this.four(at + k, part, k * step);
      } else {
        this.any(at + k, part, factor, k, step);
      }
    }
  }

  private four(at: number, part: number, turn: number): void {
    const { real, imaginary, turns } = this;
    const { cosines, sines } = turns;
    const [i1, i2, i3] = [at + part, at + 2 * part, at + 3 * part];
    const x0 = real[at]!;
    const y0 = imaginary[at]!;
    const x1 = real[i1]! * cosines[turn]! - imaginary[i1]! * sines[turn]!;
    const y1 = real[i1]! * sines[turn]! + imaginary[i1]! * cosines[turn]!;
    const x2 = real[i2]! * cosines[2 * turn]! - imaginary[i2]! * sines[2 * turn]!;
    const y2 = real[i2]! * sines[2 * turn]! + imaginary[i2]! * cosines[2 * turn]!;
    const x3 = real[i3]! * cosines[3 * turn]! - imaginary[i3]! * sines[3 * turn]!;
    const y3 = real[i3]! * sines[3 * turn]! + imaginary[i3]! * cosines[3 * turn]!;
    real[at] = x0 + x2 + (x1 + x3);
    imaginary[at] = y0 + y2 + (y1 + y3);
    real[i1] = x0 - x2 + (y1 - y3);
    imaginary[i1] = y0 - y2 - (x1 - x3);
    real[i2] = x0 + x2 - (x1 + x3);
    imaginary[i2] = y0 + y2 - (y1 + y3);
    real[i3] = x0 - x2 - (y1 - y3);
    imaginary[i3] = y0 - y2 + (x1 - x3);
  }

  private any(at: number, part: number, factor: number, k: number, step: number): void {
    const { half, real, imaginary, sums, turns } = this;
    for (let j = 0; j < factor; j++) {
      let x = 0;
      let y = 0;
      const by = (k + j * part) * step;
      let turn = 0;
      for (let i = 0; i < factor; i++) {
        const place = at + i * part;
        const [cosine, sine] = [turns.cosines[turn]!, turns.sines[turn]!];
        x += real[place]! * cosine - imaginary[place]! * sine;
        y += real[place]! * sine + imaginary[place]! * cosine;
        turn += by;
        turn -= turn < half ? 0 : half;
      }
      sums[2 * j] = x;
      sums[2 * j + 1] = y;
    }
    for (let j = 0; j < factor; j++) {
      real[at + j * part] = sums[2 * j]!;
      imaginary[at + j * part] = sums[2 * j + 1]!;
    }
  }
}

interface Turns {
  readonly cosines: Float64Array;
  readonly sines: Float64Array;
}

function turned(count: number, whole: number): Turns {
  const angles = Float64Array.from({ length: count }, (_, k) => (-2 * Math.PI * k) / whole);
  return { cosines: angles.map(Math.cos), sines: angles.map(Math.sin) };
}

function factorsOf(number: number): number[] {
  const found: number[] = [];
  for (let left = number, factor = 4; left > 1; ) {
    if (left % factor === 0) {
      found.push(factor);
      left /= factor;
    } else {
      factor = factor === 4 ? 2 : factor === 2 ? 3 : factor + 2;
    }
  }
  return found;
}
