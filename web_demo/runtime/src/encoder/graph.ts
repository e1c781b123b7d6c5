/** Runs an encoder graph over many texts: ids in, arrays out. Texts of one length share a batch, so no result depends on others. */
import { type GraphEntry, PROMPT_MASK } from "../bundle/manifest.js";
import { checkedIds } from "../decoder/run.js";
import type { Engine, Graph, Tensor } from "../session/session.js";

const TOKENS_PER_BATCH = 1024; // more neither speeds up two cores nor fits their caches

/** What a graph gave for one text: rows of `width` numbers, or one. */
export interface Answered {
  readonly values: Float32Array;
  /** Without the batch. */
  readonly shape: readonly number[];
}

export class TextEncoder {
  readonly answerSize: number;
  private readonly alone: boolean; // whether it reads one input at a time

  constructor(
    private readonly engine: Engine,
    readonly graph: Graph,
    entry: GraphEntry,
    private readonly vocabSize: number,
  ) {
    this.alone = entry.inputs[0]!.axes[0] === 1;
    this.answerSize = Number(entry.outputs.at(-1)!.axes.at(-1));
  }

  /** Of every row of ids an output, by default the answer. `types` are token types, `prompts` how many tokens a vector leaves out. */
  async texts(
    rows: readonly (readonly number[])[],
    about: {
      types?: readonly (readonly number[])[] | undefined;
      prompts?: number | undefined;
      output?: string | undefined;
      signal?: AbortSignal | undefined;
    } = {},
  ): Promise<Answered[]> {
    const answers = new Array<Answered>(rows.length);
    for (const row of rows) {
      checkedIds(row, this.vocabSize);
    }
    for (const batch of this.batches(rows.map(({ length }) => length))) {
      about.signal?.throwIfAborted();
      const found = await this.run(
        batch.map((i) => rows[i]!),
        batch.map((i) => about.types?.[i] ?? rows[i]!.map(() => 0)),
        about.prompts ?? 0,
        about.output ?? this.graph.outputs.at(-1)!,
      );
      batch.forEach((i, place) => {
        answers[i] = found[place]!;
      });
    }
    return answers;
  }

  private async run(
    rows: readonly (readonly number[])[],
    types: readonly (readonly number[])[],
    prompts: number,
    output: string,
  ): Promise<Answered[]> {
    const shape = [rows.length, rows[0]!.length];
    const big = (lists: readonly (readonly number[])[]) => BigInt64Array.from(lists.flat(), BigInt);
    const feeds: Record<string, Tensor> = { input_ids: this.engine.tensor("int64", shape, big(rows)) };
    if (this.graph.inputs.includes("token_type_ids")) {
      feeds.token_type_ids = this.engine.tensor("int64", shape, big(types));
    }
    if (this.graph.inputs.includes(PROMPT_MASK)) {
      const mask = rows.map((row) => row.map((_, i) => (i < prompts ? 1 : 0)));
      feeds[PROMPT_MASK] = this.engine.tensor("int64", shape, big(mask));
    }
    try {
      const { [output]: tensor } = await this.graph.run(feeds, { [output]: null });
      const [, ...rest] = tensor!.shape;
      const size = rest.reduce((product, each) => product * each, 1);
      const all = tensor!.view() as Float32Array;
      const answers = rows.map((_, i) => ({ values: all.slice(i * size, (i + 1) * size), shape: rest }));
      tensor!.dispose();
      return answers;
    } finally {
      for (const tensor of Object.values(feeds)) {
        tensor.dispose();
      }
    }
  }

  /** Indices in groups of one length, shortest first. */
  private *batches(lengths: readonly number[]): Generator<number[]> {
    const groups = new Map<number, number[]>();
    lengths.forEach((length, i) => {
      groups.set(length, [...(groups.get(length) ?? []), i]);
    });
    for (const length of [...groups.keys()].sort((a, b) => a - b)) {
      const all = groups.get(length)!;
      const size = this.alone ? 1 : Math.max(1, Math.floor(TOKENS_PER_BATCH / length));
      for (let start = 0; start < all.length; start += size) {
        yield all.slice(start, start + size);
      }
    }
  }
}
