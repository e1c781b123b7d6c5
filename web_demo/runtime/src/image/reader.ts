/** Runs the graph of an encoder of images, one by one: each alone is hundreds of patches already. */
import type { Pixels } from "../models.js";
import type { Engine, Graph } from "../session/session.js";
import { ImageFormat } from "./image-format.js";

const STATES = "last_hidden_state";

export class ImageReader {
  readonly format: ImageFormat;

  constructor(
    private readonly engine: Engine,
    private readonly graph: Graph,
    image: Readonly<Record<string, unknown>>,
  ) {
    this.format = new ImageFormat(image);
  }

  /** Of each image the graph's last output. */
  async answers(images: Pixels | readonly Pixels[], signal?: AbortSignal): Promise<Float32Array[]> {
    const answers: Float32Array[] = [];
    for (const image of Array.isArray(images) ? (images as readonly Pixels[]) : [images as Pixels]) {
      signal?.throwIfAborted();
      answers.push((await this.run(image, this.graph.outputs.at(-1)!)).values);
    }
    return answers;
  }

  /** The last layer's states of an image, class token first if any. */
  async states(image: Pixels): Promise<Float32Array[]> {
    const { values, shape } = await this.run(image, STATES);
    const width = shape.at(-1)!;
    return Array.from({ length: values.length / width }, (_, i) =>
      values.subarray(i * width, (i + 1) * width),
    );
  }

  /** What the graph is given of an image, channel by channel, and its shape. */
  channels(image: Pixels): Float32Array[] & { shape?: readonly number[] } {
    const pixels = this.format.pixels(image);
    const size = pixels.length / 3;
    const rows = [0, 1, 2].map((channel) => pixels.subarray(channel * size, (channel + 1) * size));
    return Object.assign(rows, { shape: [3, ...this.format.size] });
  }

  private async run(
    image: Pixels,
    output: string,
  ): Promise<{ values: Float32Array; shape: readonly number[] }> {
    const pixels = this.engine.tensor("float32", [1, 3, ...this.format.size], this.format.pixels(image));
    try {
      const { [output]: tensor } = await this.graph.run({ pixel_values: pixels }, { [output]: null });
      const found = { values: (tensor!.view() as Float32Array).slice(), shape: [...tensor!.shape] };
      tensor!.dispose();
      return found;
    } finally {
      pixels.dispose();
    }
  }
}
