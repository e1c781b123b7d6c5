/** Reads windows of a sound for a decoder, and writes the ids of one. Knows no text. */
import type { Manifest } from "../bundle/manifest.js";
import type { Decoder, Sources } from "../decoder/run.js";
import { beamSearch, type Search } from "../generate/beams.js";
import { Lookup } from "../generate/lookup.js";
import { generate, type Row } from "../generate/loop.js";
import type { Options } from "../generate/options.js";
import { processorsOf } from "../generate/processors.js";
import { Sampler } from "../generate/sampler.js";
import { ReadSources } from "../seq2seq/sources.js";
import type { Engine, Graph } from "../session/session.js";
import type { Timestamps } from "./timestamps.js";

/** What a graph makes of one window, [mels, frames] or [samples] with a batch of one before. */
export async function readWindow(
  engine: Engine,
  graph: Graph,
  heard: Float32Array,
  shape: readonly number[],
): Promise<Sources> {
  const input = engine.tensor("float32", [1, ...shape], heard);
  try {
    const wanted = Object.fromEntries(graph.outputs.map((name) => [name, null]));
    const values = await graph.run({ [graph.inputs[0]!]: input }, wanted);
    return new ReadSources(engine, values, [values[graph.outputs[0]!]!.shape[2]!]);
  } finally {
    input.dispose();
  }
}

/** Sources that outlive a run, which would let them go at its end. */
export function lent(sources: Sources): Sources {
  return {
    count: sources.count,
    bind: (feeds) => sources.bind(feeds),
    only: () => sources,
    dispose: () => undefined,
  };
}

/** The ids behind the prompt; up to `limit` tokens in all. */
export async function written(
  decoder: Decoder,
  sources: Sources,
  asked: {
    readonly prompt: readonly number[];
    readonly options: Options;
    readonly limit: number;
    readonly timestamps: Timestamps | null;
    readonly signal: AbortSignal | undefined;
  },
): Promise<readonly number[]> {
  const { prompt, options, limit, timestamps, signal } = asked;
  const { vocab_size: vocabSize, tokens } = decoder.manifest;
  const about = { vocabSize, eos: tokens.eos, start: prompt.length, limit, source: prompt };
  const processors = processorsOf(options, about);
  if (timestamps !== null) {
    processors.push(timestamps);
  }
  const run = decoder.start(1, lent(sources), signal);
  try {
    if (options.numBeams > 1) {
      const search: Search = { prompt, processors, limit, found: [] };
      await beamSearch(run, [search], options, tokens.eos);
      signal?.throwIfAborted();
      return search.found[0]!.tokens;
    }
    const row: Row = {
      ...{ prompt, limit, promptTokens: prompt.length, tokens: [], finishReason: null, lookedUp: 0 },
      sampler: new Sampler(options, processors),
      logprobs: undefined,
      lookup: options.lookup === true ? new Lookup(prompt) : undefined,
    };
    for await (const _ of generate(run, [row], new Set(tokens.eos))) {
      // What is written is in the row.
    }
    signal?.throwIfAborted();
    return row.tokens;
  } finally {
    run.dispose();
  }
}

/** New tokens of a window at most; what a checkpoint advises does not count the prompt. */
export function limitOf(manifest: Manifest, prompt: number, asked: number | undefined): number {
  const room = manifest.context - prompt;
  const { max_new_tokens: most, max_length: length } = manifest.generation;
  const advised = [most, length].find((value) => typeof value === "number") as number | undefined;
  return Math.min(room, asked ?? advised ?? room);
}
