/** An image becomes pixel_values, as the manifest's `image` says. Knows no model. */
import { SatchelError, shown } from "../errors.js";
import type { Pixels } from "../models.js";
import { type Plane, resized } from "./resize.js";

const CHANNELS = 3;
const FILTERS = 6; // of Pillow: nearest, Lanczos, bilinear, bicubic, box, Hamming
const MOST_PIXELS = 2 ** 26; // of a resized image, before it is cropped
const LARGEST_SIDE = 4096; // of what a graph takes
const LARGEST_NUMBER = 1e6; // in a normalisation that makes sense
const NAMES = ["mean", "resample", "rescale", "resize", "shortest_edge", "size", "std"];
const MAY = ["longest_edge", "rounded", "first"];
const { fround } = Math;

type Size = readonly [number, number];

/**
 * Preprocessing of images: RGB, resize, crop, then (value * rescale - mean) / std. Of what is larger than `size` after the resize
 * the center is taken; what is smaller is padded with zeros.
 */
export class ImageFormat {
  /** [height, width] that come out. */
  readonly size: Size;
  private readonly resize: Size | null; // to this [height, width]
  private readonly shortestEdge: number | null; // or to this shorter side; with neither there is no resize
  private readonly longestEdge: number | null; // or less where the longer side would be above this
  private readonly resample: number;
  private readonly rescale: number;
  private readonly mean: readonly number[];
  private readonly std: readonly number[];
  private readonly rounded: boolean; // whether a resize rounds to whole levels
  private readonly first: boolean; // whether of two places in the middle a crop has the first, not the even one

  /** Reads the manifest's `image`; BUNDLE says what is wrong with it. */
  constructor(raw: Readonly<Record<string, unknown>>) {
    const strange = Object.keys(raw).filter((name) => ![...NAMES, ...MAY].includes(name));
    const missing = NAMES.filter((name) => !Object.hasOwn(raw, name));
    if (strange.length > 0 || missing.length > 0) {
      const known = [...NAMES, ...MAY].sort().join(", ");
      throw SatchelError.bundle(
        `manifest.json: image has ${shown(Object.keys(raw).sort().join(", "))}, not ${known}`,
      );
    }
    const { size, resize, shortest_edge: shortest, longest_edge: longest = null, resample } = raw;
    const { rescale, mean, std, rounded = true, first = true } = raw;
    const checks: Readonly<Record<string, boolean>> = {
      size: isSize(size),
      resize: resize === null || isSize(resize),
      shortest_edge: shortest === null || (isSide(shortest) && resize === null),
      longest_edge: longest === null || (isSide(longest) && shortest !== null),
      resample: Number.isInteger(resample) && (resample as number) >= 0 && (resample as number) < FILTERS,
      rescale: areNumbers([rescale], 1),
      mean: areNumbers(mean, CHANNELS),
      std: areNumbers(std, CHANNELS, 1 / LARGEST_NUMBER),
      rounded: typeof rounded === "boolean",
      first: typeof first === "boolean",
    };
    const wrong = Object.keys(checks).find((name) => !checks[name]);
    if (wrong !== undefined) {
      const value = JSON.stringify(raw[wrong]) ?? null;
      throw SatchelError.bundle(`manifest.json: image: ${wrong} = ${shown(value)} makes no sense`);
    }
    this.size = size as Size;
    this.resize = resize as Size | null;
    this.shortestEdge = shortest as number | null;
    this.longestEdge = longest as number | null;
    this.resample = resample as number;
    this.rescale = rescale as number;
    this.mean = (mean as number[]).map(fround);
    this.std = (std as number[]).map(fround);
    this.rounded = rounded as boolean;
    this.first = first as boolean;
  }

  /** Numbers [3, height, width] of an image in RGB, or in RGBA, whose transparent parts are laid on white. */
  pixels(image: Pixels): Float32Array {
    const picture = onWhite(image);
    const [height, width] = this.resizedTo(picture.height, picture.width);
    if (this.rounded) {
      return this.planes(resized(picture, height, width, this.resample), (level, channel) =>
        this.normal(fround(level * this.rescale), channel),
      );
    }
    // Rescaled before it is resized, as numbers of 32 bits.
    const levels = Float32Array.from(picture.levels, (level) => level * this.rescale);
    return this.planes(resized({ ...picture, levels }, height, width, this.resample), (level, channel) =>
      this.normal(level, channel),
    );
  }

  private normal(value: number, channel: number): number {
    return fround(value - this.mean[channel]!) / this.std[channel]!;
  }

  /** The middle of a picture, or the picture in the middle of zeros, channel by channel. */
  private planes(
    picture: Plane<Uint8Array | Float32Array>,
    of: (level: number, channel: number) => number,
  ): Float32Array {
    const [height, width] = this.size;
    const [top, left] = [this.centre(picture.height, height), this.centre(picture.width, width)];
    const pixels = new Float32Array(CHANNELS * height * width);
    for (let channel = 0, at = 0; channel < CHANNELS; channel++) {
      for (let y = 0; y < height; y++) {
        const row = y + top;
        for (let x = 0; x < width; x++, at++) {
          const column = x + left;
          const inside = row >= 0 && row < picture.height && column >= 0 && column < picture.width;
          const level = inside ? picture.levels[(row * picture.width + column) * CHANNELS + channel]! : 0;
          pixels[at] = of(level, channel);
        }
      }
    }
    return pixels;
  }

  /** Where in `size` pixels the middle `wanted` begin; before them, where there are fewer. */
  private centre(size: number, wanted: number): number {
    if (size < wanted) {
      return -Math.floor((wanted - size + 1) / 2);
    }
    const half = (size - wanted) / 2;
    return this.first ? Math.floor(half) : evenOf(half);
  }

  /** Height and width after the resize. */
  private resizedTo(height: number, width: number): Size {
    if (this.resize !== null) {
      return this.resize;
    }
    if (this.shortestEdge === null) {
      return [height, width];
    }
    const [shorter, longer] = [Math.min(height, width), Math.max(height, width)];
    const most = this.longestEdge;
    let edge = this.shortestEdge;
    let exact = edge;
    if (most !== null && (longer / shorter) * edge > most) {
      exact = (most * shorter) / longer;
      edge = evenOf(exact);
    }
    if (most !== null && edge === shorter) {
      return [height, width];
    }
    // The longer side follows from what the shorter would be before it is rounded.
    const long = Math.floor((exact * longer) / shorter);
    if (edge < 1 || edge * long > MOST_PIXELS) {
      throw SatchelError.usage(`the image is too long and narrow: ${width} x ${height} pixels`);
    }
    return width <= height ? [long, edge] : [edge, long];
  }
}

/** The nearest whole number, of two the even one. */
function evenOf(value: number): number {
  const below = Math.floor(value);
  const rest = value - below;
  return rest < 0.5 || (rest === 0.5 && below % 2 === 0) ? below : below + 1;
}

/** RGB of what a caller gave, rounded as Pillow does where it is transparent. */
function onWhite(image: unknown): Plane<Uint8Array> {
  const { width, height, data } = (image ?? {}) as Partial<Pixels>;
  const bytes = data instanceof Uint8Array || data instanceof Uint8ClampedArray;
  if (!Number.isInteger(width) || !Number.isInteger(height) || !bytes) {
    throw SatchelError.usage("an image is its width, its height and data: 8-bit RGB or RGBA, row after row");
  }
  const [columns, rows] = [width as number, height as number];
  if (columns < 1 || rows < 1) {
    throw SatchelError.usage(`the image is empty: ${columns} x ${rows} pixels`);
  }
  const count = columns * rows;
  if (data.length !== count * CHANNELS && data.length !== count * 4) {
    throw SatchelError.usage(`the image has ${data.length} bytes, not ${columns} x ${rows} x 3 or 4`);
  }
  if (data.length === count * CHANNELS) {
    return {
      width: columns,
      height: rows,
      levels: new Uint8Array(data.buffer, data.byteOffset, data.length),
    };
  }
  const levels = new Uint8Array(count * CHANNELS);
  for (let i = 0; i < count; i++) {
    const alpha = data[4 * i + 3]!;
    for (let channel = 0; channel < CHANNELS; channel++) {
      const level = data[4 * i + channel]!;
      levels[i * CHANNELS + channel] = alpha === 255 ? level : blended(level, alpha);
    }
  }
  return { width: columns, height: rows, levels };
}

function blended(level: number, alpha: number): number {
  if (alpha === 0) {
    return 255;
  }
  const mixed = ((level * alpha + 255 * (255 - alpha)) << 7) + (0x80 << 7);
  return (((mixed >> 8) + mixed) >> 8) >> 7;
}

function isSide(value: unknown): value is number {
  return Number.isInteger(value) && (value as number) >= 1 && (value as number) <= LARGEST_SIDE;
}

function isSize(value: unknown): boolean {
  return Array.isArray(value) && value.length === 2 && value.every(isSide);
}

function areNumbers(values: unknown, count: number, least = 0): boolean {
  return (
    Array.isArray(values) &&
    values.length === count &&
    values.every(
      (value) => typeof value === "number" && Math.abs(value) >= least && Math.abs(value) <= LARGEST_NUMBER,
    )
  );
}
