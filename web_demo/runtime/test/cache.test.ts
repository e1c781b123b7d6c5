/** The cache of real decoders is written in place, and a step is bitwise what a prefill is. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { type Bundle, openBundle } from "../src/bundle/bundle.js";
import { nodeEngine } from "../src/session/node.js";
import type { DType, Engine, Tensor } from "../src/session/session.js";
import { wasmEngine } from "../src/session/wasm.js";
import { NodeFolder } from "../src/store/node-folder.js";

// Written by `make test-jvm`.
const conformance = process.env.SATCHEL_CONFORMANCE ?? "../../android_demo/build/conformance";
const CAPACITY = 32;
const ENGINES = {
  wasm: () => wasmEngine({ threads: 1 }),
  "wasm, two threads": () => wasmEngine({ threads: 2 }),
  node: () => nodeEngine({ threads: 1 }),
};

class Decoder {
  private readonly cache: Record<string, Tensor> = {};
  private readonly present: Record<string, Tensor> = {};

  constructor(
    private readonly engine: Engine,
    private readonly graph: Awaited<ReturnType<Bundle["graph"]>>,
    { manifest }: Bundle,
  ) {
    const { layers, kv_heads: heads, head_dim: size, dtype } = manifest.cache!;
    for (let layer = 0; layer < layers; layer += 1) {
      for (const part of ["key", "value"]) {
        const tensor = engine.tensor(dtype as DType, [1, heads, CAPACITY, size]);
        this.cache[`past_key_values.${layer}.${part}`] = tensor;
        this.present[`present.${layer}.${part}`] = tensor;
      }
    }
  }

  /** Logits behind the last of these ids, and what the first layer keeps of them. */
  async read(ids: number[], past: number): Promise<[logits: number[], kept: number[]]> {
    const { engine } = this;
    const { logits } = await this.graph.run(
      {
        ...this.cache,
        input_ids: engine.tensor("int64", [1, ids.length], BigInt64Array.from(ids, BigInt)),
        seqlens_k: engine.tensor("int32", [1], Int32Array.of(past + ids.length - 1)),
        total_sequence_length: engine.tensor("int32", [1], Int32Array.of(past + ids.length)),
        logit_rows: engine.tensor("int64", [1], BigInt64Array.of(BigInt(ids.length - 1))),
      },
      { logits: null, ...this.present },
    );
    const kept = this.cache["past_key_values.0.key"]!.view();
    return [Array.from(logits!.view(), Number), Array.from(kept, Number)];
  }
}

function apart(one: number[], other: number[]): number {
  const largest = Math.max(...one.map(Math.abs));
  return Math.max(...one.map((value, index) => Math.abs(value - other[index]!))) / largest;
}

/** What the reference model says of its likeliest ids. */
interface Probe {
  ids: number[];
  top: number[];
  reference: number[];
  difference: number;
}

for (const name of ["llama-int8", "llama-int8-portable", "llama-fp32", "gemma3_text-int8"]) {
  const folder = join(conformance, name, "bundle");
  const skip = existsSync(folder) ? false : "no bundles were made";
  test(`${name}: in place, and alike on every engine`, { skip }, async () => {
    const bundle = await openBundle(new NodeFolder(folder));
    const { ids, top, reference, difference } = bundle.manifest.probe as unknown as Probe;
    const answers: number[][] = [];
    for (const make of Object.values(ENGINES)) {
      const engine = await make();
      const decoder = new Decoder(engine, await bundle.graph(engine, "decoder"), bundle);
      const [whole, kept] = await decoder.read(ids, 0);
      assert.ok(kept.some((number) => number !== 0));
      let step: number[] = [];
      for (const [past, id] of ids.entries()) {
        [step] = await decoder.read([id], past);
      }
      assert.ok(apart(whole, step) <= (name.endsWith("fp32") ? 1e-5 : 0), "a step is what a prefill is");
      const far = Math.max(...top.map((id, place) => Math.abs(whole[id]! - reference[place]!)));
      assert.ok(
        far <= Math.max(1.25 * difference, 1e-3),
        `${far} from the reference, exported ${difference}`,
      );
      answers.push(whole);
    }
    assert.ok(apart(answers[0]!, answers[1]!) < 1e-3, "threads change the order of sums at most");
    if (name.endsWith("portable")) {
      assert.deepEqual(answers[0], answers[2], "integer products are the same bits everywhere");
    }
  });
}
