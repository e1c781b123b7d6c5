/** Reads the sources of an encoder-decoder model: ids in, keys and values for its decoder out. */
import type { Manifest } from "../bundle/manifest.js";
import { checkedIds, type Sources } from "../decoder/run.js";
import { SatchelError } from "../errors.js";
import type { Engine, Graph, Tensor } from "../session/session.js";

export class SourceEncoder {
  readonly context: number;

  constructor(
    private readonly engine: Engine,
    private readonly graph: Graph,
    private readonly manifest: Manifest,
  ) {
    this.context = manifest.seq2seq!.source_context;
  }

  /** Reads sources of any lengths together. Raises PROMPT_TOO_LONG where one is too long. */
  async read(rows: readonly (readonly number[])[]): Promise<Sources> {
    const { engine } = this;
    const lengths = rows.map((row) => this.checked(row).length);
    const longest = Math.max(...lengths);
    const ids = new BigInt64Array(rows.length * longest);
    rows.forEach((row, i) => {
      ids.set(row.map(BigInt), i * longest);
    });
    const inputs = {
      input_ids: engine.tensor("int64", [rows.length, longest], ids),
      source_lengths: engine.tensor("int32", [rows.length], Int32Array.from(lengths)),
    };
    try {
      const wanted = Object.fromEntries(this.graph.outputs.map((name) => [name, null]));
      const values = await this.graph.run(inputs, wanted);
      return new ReadSources(engine, values, lengths);
    } finally {
      inputs.input_ids.dispose();
      inputs.source_lengths.dispose();
    }
  }

  checked(source: readonly number[]): readonly number[] {
    if (source.length > this.context) {
      throw SatchelError.limit(
        `the source has ${source.length} tokens, the bundle reads up to ${this.context}: shorten it`,
        "PROMPT_TOO_LONG",
      );
    }
    return checkedIds(source, this.manifest.vocab_size);
  }
}

/** Tensors of a batch of sources, by the names of the decoder's inputs. */
export class ReadSources implements Sources {
  private readonly lengths: Tensor;

  constructor(
    private readonly engine: Engine,
    private readonly values: Readonly<Record<string, Tensor>>,
    private readonly counts: readonly number[],
  ) {
    this.lengths = engine.tensor("int32", [counts.length], Int32Array.from(counts));
  }

  get count(): number {
    return this.counts.length;
  }

  bind(feeds: Record<string, Tensor>): void {
    Object.assign(feeds, this.values);
    feeds.source_lengths = this.lengths;
  }

  only(places: readonly number[]): Sources {
    const values: Record<string, Tensor> = {};
    for (const [name, tensor] of Object.entries(this.values)) {
      const [, ...rest] = tensor.shape;
      const size = rest.reduce((product, each) => product * each, 1);
      const kept = this.engine.tensor("float32", [places.length, ...rest]);
      const [from, to] = [tensor.view() as Float32Array, kept.view() as Float32Array];
      places.forEach((place, i) => {
        to.set(from.subarray(place * size, (place + 1) * size), i * size);
      });
      values[name] = kept;
    }
    const counts = places.map((place) => this.counts[place]!);
    this.dispose();
    return new ReadSources(this.engine, values, counts);
  }

  dispose(): void {
    this.lengths.dispose();
    for (const tensor of Object.values(this.values)) {
      tensor.dispose();
    }
  }
}
