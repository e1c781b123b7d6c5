/** The generation loop: chooses ids for a batch of texts, step by step. Knows no text. */
import type { Run } from "../decoder/run.js";
import { FEW } from "../decoder/run.js";
import type { Lookup } from "./lookup.js";
import { highest, logProbability, type Sampler } from "./sampler.js";

const CROWD = 0.75; // the part of a run's rows that may go on when the others leave it

export type FinishReason = "eos" | "stop" | "length" | "cancelled";

/** One text of a batch being generated; `finishReason` is null while it runs. */
export interface Row {
  /** What the decoder has read before the first new token. */
  readonly prompt: readonly number[];
  readonly sampler: Sampler;
  /** New tokens at most. */
  readonly limit: number;
  /** Of the caller's prompt. */
  readonly promptTokens: number;
  readonly tokens: number[];
  /** A list to have them collected. */
  readonly logprobs: number[] | undefined;
  finishReason: FinishReason | null;
  /** Of a single text: what it may go on with is read ahead. */
  readonly lookup: Lookup | undefined;
  lookedUp: number;
}

/** Yields [row, id] as ids are chosen, until every row has a reason to end. A single row goes on from what `run` holds. */
export async function* generate(
  run: Run,
  rows: readonly Row[],
  ends: ReadonlySet<number>,
): AsyncGenerator<readonly [number, number], void, void> {
  for (const row of rows) {
    row.finishReason = row.limit < 1 ? "length" : row.finishReason;
  }
  let batch = rows.map((_, number) => number); // whose rows the run has
  let going = batch.filter((number) => rows[number]!.finishReason === null);
  if (going.length === 0) {
    return;
  }
  try {
    const first = rows[0]!;
    let logits =
      rows.length === 1
        ? await run.append(run.reuse(first.prompt))
        : await run.prefill(rows.map(({ prompt }) => prompt));
    const ahead =
      rows.length === 1 && first.lookup !== undefined
        ? new ReadingAhead(run, first, first.lookup, ends)
        : undefined;
    for (;;) {
      const tokens = batch.map(() => 0);
      for (const number of going) {
        const row = rows[number]!;
        const place = batch.indexOf(number);
        tokens[place] = choose(row, logits[place]!, ends);
        if (row.finishReason === null) {
          yield [number, tokens[place]!];
        }
        if (row.finishReason === null && row.tokens.length >= row.limit) {
          row.finishReason = "length";
        }
      }
      going = going.filter((number) => rows[number]!.finishReason === null);
      if (going.length === 0) {
        return;
      }
      if (going.length <= CROWD * batch.length) {
        const places = going.map((number) => batch.indexOf(number));
        run.reorder(
          places,
          places.map(() => 0),
        );
        tokens.splice(0, tokens.length, ...places.map((place) => tokens[place]!));
        batch = going;
      }
      const active = batch.map((number) => going.includes(number));
      logits = await (ahead?.step(tokens[0]!) ?? run.step(tokens, active));
    }
  } catch (error) {
    if (run.signal?.aborted !== true) {
      throw error;
    }
  } finally {
    for (const row of rows) {
      row.finishReason ??= "cancelled";
    }
  }
}

/** Chooses and records the next id of a text; an id that ends it does that instead. */
function choose(row: Row, logits: Float32Array, ends: ReadonlySet<number>): number {
  const { processors } = row.sampler;
  const before = row.logprobs !== undefined && processors.length > 0 ? logits.slice() : logits;
  if (processors.length > 0) {
    const text = [...row.prompt, ...row.tokens];
    for (const processor of processors) {
      processor.change(logits, text, row.tokens.length);
    }
  }
  const token = row.sampler.choose(logits, highest(logits));
  if (ends.has(token)) {
    row.finishReason = "eos";
    return token;
  }
  row.tokens.push(token);
  row.logprobs?.push(logProbability(before, token));
  return token;
}

/** The steps of a row with a lookup, in the place of its run's. */
class ReadingAhead {
  private length: number; // of the text; what the run holds beyond is a draft
  private draft: number[] = [];
  private logits: Float32Array[] = []; // before each id of the draft, and after

  constructor(
    private readonly run: Run,
    private readonly row: Row,
    private readonly lookup: Lookup,
    private readonly ends: ReadonlySet<number>,
  ) {
    this.length = run.lengths[0]!;
  }

  async step(token: number): Promise<Float32Array[]> {
    this.lookup.add(token);
    this.length += 1;
    if (this.draft.length > 0 && this.draft.shift() === token) {
      this.run.signal?.throwIfAborted();
      this.row.lookedUp += 1;
      this.logits = this.logits.slice(1);
      return this.logits.slice(0, 1);
    }
    this.run.rewind(this.length - 1);
    const left = this.row.limit - this.row.tokens.length;
    this.draft = this.lookup.draft(Math.min(left, FEW) - 1, this.ends);
    const ahead = [token, ...this.draft];
    this.logits = this.draft.length > 0 ? await this.run.readAhead(ahead) : await this.run.step([token]);
    return this.logits.slice(0, 1);
  }
}
