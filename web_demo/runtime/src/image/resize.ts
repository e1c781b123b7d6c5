/**
 * Pictures of other sizes, to the last bit as Pillow makes them: of 8-bit levels weights are rounded to whole numbers, and after
 * rows as after columns levels are rounded. Rows are resized first, or columns where the height shrinks by far more than the width.
 */

/** Pixels, row after row, each of so many levels side by side. */
export interface Plane<Levels extends Uint8Array | Float32Array> {
  readonly height: number;
  readonly width: number;
  readonly levels: Levels;
}

const BITS = 32 - 8 - 2; // behind the point of a weight
const CUBE = -0.5; // of the bicubic

/** What pixels are weighed by, and how far that reaches in pixels of whichever picture is the coarser. */
interface Filter {
  readonly support: number;
  weight(distance: number): number;
}

const sinc = (x: number): number => (x === 0 ? 1 : Math.sin(x * Math.PI) / (x * Math.PI));

/** By their numbers in Pillow; nearest comes first. */
const FILTERS: readonly (Filter | undefined)[] = [
  undefined,
  {
    support: 3, // Lanczos
    weight: (x) => (x >= -3 && x < 3 ? sinc(x) * sinc(x / 3) : 0),
  },
  {
    support: 1, // bilinear
    weight: (distance) => Math.max(0, 1 - Math.abs(distance)),
  },
  {
    support: 2, // bicubic
    weight(distance) {
      const x = Math.abs(distance);
      if (x < 1) {
        return ((CUBE + 2) * x - (CUBE + 3)) * x * x + 1;
      }
      return x < 2 ? (((x - 5) * x + 8) * x - 4) * CUBE : 0;
    },
  },
  {
    support: 0.5, // box
    weight: (x) => (x > -0.5 && x <= 0.5 ? 1 : 0),
  },
  {
    support: 1, // Hamming, its constants of 32 bits as in Pillow
    weight(distance) {
      const x = Math.abs(distance) * Math.PI;
      return x === 0
        ? 1
        : x < Math.PI
          ? (Math.sin(x) / x) * (Math.fround(0.54) + Math.fround(0.46) * Math.cos(x))
          : 0;
    },
  },
];

/** The picture at another size; `filter` is Pillow's number. */
export function resized<Levels extends Uint8Array | Float32Array>(
  picture: Plane<Levels>,
  height: number,
  width: number,
  filter: number,
): Plane<Levels> {
  const channels = picture.levels.length / (picture.height * picture.width);
  const across = (plane: Plane<Levels>): Plane<Levels> =>
    plane.width === width ? plane : alongRows(plane, width, channels, filter);
  const down = (plane: Plane<Levels>): Plane<Levels> =>
    plane.height === height ? plane : alongColumns(plane, height, channels, filter);
  const shrinks = picture.height - height;
  if (FILTERS[filter] !== undefined && shrinks > 0 && shrinks > 2 * (picture.width - width)) {
    return across(down(picture));
  }
  return down(across(picture));
}

function alongRows<Levels extends Uint8Array | Float32Array>(
  plane: Plane<Levels>,
  width: number,
  channels: number,
  filter: number,
): Plane<Levels> {
  const mixes = mixesOf(plane.width, width, filter);
  const levels = room(plane.levels, plane.height * width * channels);
  const mix = mixing(plane.levels, levels);
  for (let y = 0; y < plane.height; y++) {
    for (let x = 0; x < width; x++) {
      const { start, weights } = mixes[x]!;
      for (let channel = 0; channel < channels; channel++) {
        const from = (y * plane.width + start) * channels + channel;
        mix(from, channels, weights, (y * width + x) * channels + channel);
      }
    }
  }
  return { height: plane.height, width, levels };
}

function alongColumns<Levels extends Uint8Array | Float32Array>(
  plane: Plane<Levels>,
  height: number,
  channels: number,
  filter: number,
): Plane<Levels> {
  const mixes = mixesOf(plane.height, height, filter);
  const stride = plane.width * channels;
  const levels = room(plane.levels, height * stride);
  const mix = mixing(plane.levels, levels);
  for (let y = 0; y < height; y++) {
    const { start, weights } = mixes[y]!;
    for (let x = 0; x < stride; x++) {
      mix(start * stride + x, stride, weights, y * stride + x);
    }
  }
  return { height, width: plane.width, levels };
}

function room<Levels extends Uint8Array | Float32Array>(like: Levels, size: number): Levels {
  return (like instanceof Uint8Array ? new Uint8Array(size) : new Float32Array(size)) as Levels;
}

type Mix = (from: number, step: number, weights: Float64Array, to: number) => void;

/** Writes one level of as many as there are weights, which lie `step` apart. */
function mixing(levels: Uint8Array | Float32Array, out: Uint8Array | Float32Array): Mix {
  if (levels instanceof Float32Array) {
    return (from, step, weights, to) => {
      let sum = 0;
      for (let i = 0, at = from; i < weights.length; i++, at += step) {
        sum += levels[at]! * weights[i]!;
      }
      out[to] = sum;
    };
  }
  const whole = new Map<Float64Array, Int32Array>();
  return (from, step, weights, to) => {
    let rounded = whole.get(weights);
    if (rounded === undefined) {
      rounded = Int32Array.from(weights, (weight) => weight * (1 << BITS) + (weight < 0 ? -0.5 : 0.5));
      whole.set(weights, rounded);
    }
    let sum = 1 << (BITS - 1);
    for (let i = 0, at = from; i < rounded.length; i++, at += step) {
      sum += levels[at]! * rounded[i]!;
    }
    out[to] = Math.max(0, Math.min(255, sum >> BITS));
  };
}

/** Where the old pixels begin that make a new one, and their weights. */
interface Mixed {
  readonly start: number;
  readonly weights: Float64Array;
}

function mixesOf(size: number, wanted: number, number: number): Mixed[] {
  const filter = FILTERS[number];
  if (filter === undefined) {
    return nearest(size, wanted);
  }
  const scale = size / wanted;
  const coarse = Math.max(scale, 1);
  const support = filter.support * coarse;
  const fine = 1 / coarse;
  return Array.from({ length: wanted }, (_, place) => {
    const middle = (place + 0.5) * scale;
    const start = Math.max(0, Math.trunc(middle - support + 0.5));
    const end = Math.min(size, Math.trunc(middle + support + 0.5));
    const weights = Float64Array.from({ length: end - start }, (_, i) =>
      filter.weight((i + start - middle + 0.5) * fine),
    );
    const sum = weights.reduce((total, weight) => total + weight, 0);
    return { start, weights: sum === 0 ? weights : weights.map((weight) => weight / sum) };
  });
}

function nearest(size: number, wanted: number): Mixed[] {
  const step = size / wanted;
  let middle = step * 0.5;
  const weights = Float64Array.of(1);
  return Array.from({ length: wanted }, () => {
    const start = Math.min(Math.trunc(middle), size - 1);
    middle += step; // added up, as Pillow does, which now and then decides
    return { start, weights };
  });
}
