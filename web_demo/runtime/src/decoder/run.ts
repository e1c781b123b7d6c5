/** Runs a decoder graph over a cache: ids in, logits out. Knows no text and no sampling. */
import type { Manifest } from "../bundle/manifest.js";
import { SatchelError } from "../errors.js";
import type { Engine, Graph, Tensor } from "../session/session.js";
import { KVCache } from "./kv-cache.js";

export const CHUNK = 128; // ids at most that are read at once
export const FEW = 16; // ids at most that are read ahead of a text, with its next

/** What a decoder knows of a batch of sources, which it only reads. */
export interface Sources {
  readonly count: number;
  bind(feeds: Record<string, Tensor>): void;
  /** Some of the sources; these are let go. */
  only(places: readonly number[]): Sources;
  dispose(): void;
}

/** A decoder's graph and what its manifest says of it. */
export class Decoder {
  readonly vocabSize: number;
  readonly context: number;

  constructor(
    readonly engine: Engine,
    readonly graph: Graph,
    readonly manifest: Manifest,
  ) {
    this.vocabSize = manifest.vocab_size;
    this.context = manifest.context;
  }

  /** A new batch of empty texts, a multiple of the sources where there are any. */
  start(batch = 1, sources?: Sources, signal?: AbortSignal): Run {
    return new Run(this, batch, sources, signal);
  }
}

/** Ids as the graph reads them. Raises TOKEN_ID for one that the model does not have. */
export function checkedIds(ids: readonly number[], vocabSize: number): readonly number[] {
  if (ids.length === 0) {
    throw SatchelError.usage("the prompt is empty", "EMPTY_PROMPT");
  }
  const wrong = Array.from(ids).findIndex((id) => !Number.isInteger(id) || id < 0 || id >= vocabSize);
  if (wrong >= 0) {
    throw SatchelError.usage(
      `id ${String(ids[wrong])} at index ${wrong} is not a whole number in 0..${vocabSize - 1}`,
      "TOKEN_ID",
    );
  }
  return ids;
}

/** Tensors of one shape of ids, bound to the cache as it is. */
interface Call {
  readonly width: number;
  readonly feeds: Record<string, Tensor>;
  readonly outputs: Record<string, Tensor | null>;
  readonly own: readonly Tensor[];
}

/** A batch of texts in progress: their cache, their lengths and, for a single text, its ids. */
export class Run {
  lengths: number[];
  /** What the cache of a single text holds. */
  ids: number[] = [];
  private cache: KVCache;
  private calls = new Map<number, Call>(); // by ids a row

  constructor(
    private readonly decoder: Decoder,
    batch: number,
    private sources: Sources | undefined,
    public signal: AbortSignal | undefined,
  ) {
    const { engine, manifest, context } = decoder;
    this.cache = new KVCache(engine, manifest.cache!, batch, context);
    this.lengths = Array.from({ length: batch }, () => 0);
  }

  /** Reads a first prompt for each row; the logits after each. */
  async prefill(prompts: readonly (readonly number[])[]): Promise<Float32Array[]> {
    if (prompts.length === 1) {
      return this.append(prompts[0]!);
    }
    if (prompts.every(({ length }) => length === 1)) {
      return this.step(prompts.map(([id]) => id!));
    }
    // Each alone, so that none is filled up to the longest.
    const runs = prompts.map(() => this.decoder.start(1, undefined, this.signal));
    const logits: Float32Array[] = [];
    for (const [row, prompt] of prompts.entries()) {
      logits.push(...(await runs[row]!.append(prompt)));
    }
    this.lengths = prompts.map(({ length }) => length);
    this.cache.dispose();
    for (const run of runs) {
      run.unbind();
    }
    this.cache = KVCache.joined(
      runs.map(({ cache }) => cache),
      this.lengths,
    );
    this.unbind();
    return logits;
  }

  /** Adds ids to a single text; the logits after the last, or after each. */
  async append(tokens: readonly number[], every = false): Promise<Float32Array[]> {
    const ids = checkedIds(tokens, this.decoder.vocabSize);
    this.reserve([this.lengths[0]! + ids.length]);
    const all: Float32Array[] = [];
    for (let start = 0; start < ids.length; start += CHUNK) {
      const piece = ids.slice(start, start + CHUNK);
      const rows = every ? piece.map((_, i) => i) : [piece.length - 1];
      const logits = await this.read(piece, [this.lengths[0]! + piece.length], rows);
      this.ids.push(...piece);
      if (every) {
        all.push(...logits.map((row) => row.slice()));
      } else if (start + CHUNK >= ids.length) {
        all.push(...logits);
      }
    }
    return all;
  }

  /** Adds one id to each row; rows that are not `active` keep their length. Logits are overwritten by the next call. */
  async step(tokens: readonly number[], active?: readonly boolean[]): Promise<Float32Array[]> {
    const lengths = this.lengths.map((length) => length + 1);
    this.reserve(lengths);
    const logits = await this.read(tokens, lengths);
    if (tokens.length === 1) {
      this.ids.push(tokens[0]!);
    } else if (active !== undefined) {
      this.lengths = this.lengths.map((length, row) => (active[row] ? length : length - 1));
    }
    return logits;
  }

  /** Adds up to FEW ids to a single text; the logits after each. */
  async readAhead(tokens: readonly number[]): Promise<Float32Array[]> {
    const lengths = [this.lengths[0]! + tokens.length];
    this.reserve(lengths);
    const logits = await this.read(
      tokens,
      lengths,
      tokens.map((_, i) => i),
    );
    this.ids.push(...tokens);
    return logits;
  }

  /** Lets a single text end after its first `length` ids. */
  rewind(length: number): void {
    this.ids.length = length;
    this.lengths[0] = length;
  }

  /** Lets row i go on from row rows[i], of which it holds the first `shared[i]` positions already. */
  reorder(rows: readonly number[], shared: readonly number[]): void {
    if (this.sources !== undefined) {
      const width = this.lengths.length / this.sources.count;
      const read = [...new Set(rows.map((row) => Math.floor(row / width)))].sort((a, b) => a - b);
      if (read.length < this.sources.count) {
        this.sources = this.sources.only(read);
        this.unbind();
      }
    }
    const before = this.lengths.length;
    if (this.cache.reorder(rows, shared, this.lengths) || rows.length !== before) {
      this.unbind();
    }
    this.lengths = rows.map((row) => this.lengths[row]!);
  }

  /** Rolls a single text back to what it shares with `prompt`; what is left to append. */
  reuse(prompt: readonly number[]): readonly number[] {
    let shared = 0;
    while (shared < Math.min(this.ids.length, prompt.length - 1) && this.ids[shared] === prompt[shared]) {
      shared += 1; // one must be left to run
    }
    this.rewind(shared);
    return prompt.slice(shared);
  }

  /** Makes room for rows of these lengths. Raises CONTEXT where one is too long. */
  reserve(lengths: readonly number[]): void {
    const longest = Math.max(...lengths);
    const { context } = this.decoder;
    if (longest > context) {
      throw SatchelError.limit(
        `the text has ${longest} tokens, the bundle's context is ${context}`,
        "CONTEXT",
      );
    }
    if (this.cache.reserve(longest)) {
      this.unbind();
    }
  }

  dispose(): void {
    this.unbind();
    this.cache.dispose();
    this.sources?.dispose();
  }

  private async read(
    ids: readonly number[],
    lengths: readonly number[],
    rows: readonly number[] = ids.map((_, i) => i),
  ): Promise<Float32Array[]> {
    this.signal?.throwIfAborted();
    const batch = this.lengths.length;
    const width = ids.length / batch;
    const call = this.call(width, rows.length);
    const { feeds, outputs } = call;
    const big = (name: string) => feeds[name]!.view() as BigInt64Array;
    big("input_ids").set(ids.map(BigInt));
    big("logit_rows").set(rows.map(BigInt));
    (feeds.seqlens_k!.view() as Int32Array).set(lengths.map((length) => length - 1));
    (feeds.total_sequence_length!.view() as Int32Array)[0] = Math.max(...lengths);
    await this.decoder.graph.run(feeds, outputs);
    this.lengths = [...lengths];
    const all = outputs.logits!.view() as Float32Array;
    const { vocabSize } = this.decoder;
    const logits = rows.map((_, i) => all.slice(i * vocabSize, (i + 1) * vocabSize));
    if (!this.calls.has(width)) {
      release(call);
    }
    return logits;
  }

  /** Tensors for `width` ids a row; those of steps and of what is read ahead are kept while the cache stays. */
  private call(width: number, rows: number): Call {
    const known = this.calls.get(width);
    if (known !== undefined && known.own[3]!.shape[0] === rows) {
      return known;
    }
    const { engine, vocabSize } = this.decoder;
    const batch = this.lengths.length;
    const own = [
      engine.tensor("int64", [batch, width]),
      engine.tensor("int32", [batch]),
      engine.tensor("int32", [1]),
      engine.tensor("int64", [rows]),
      engine.tensor("float32", [rows, vocabSize]),
    ];
    const feeds: Record<string, Tensor> = {
      input_ids: own[0]!,
      seqlens_k: own[1]!,
      total_sequence_length: own[2]!,
      logit_rows: own[3]!,
    };
    const outputs: Record<string, Tensor | null> = { logits: own[4]! };
    this.cache.bind(feeds, outputs);
    this.sources?.bind(feeds);
    const call = { width, feeds, outputs, own };
    if (width <= FEW && rows === batch * width && known === undefined) {
      this.calls.set(width, call);
    }
    return call;
  }

  private unbind(): void {
    for (const call of this.calls.values()) {
      release(call);
    }
    this.calls.clear();
  }
}

function release({ own }: Call): void {
  for (const tensor of own) {
    tensor.dispose();
  }
}
