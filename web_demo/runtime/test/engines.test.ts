import assert from "node:assert/strict";
import { test } from "node:test";
import { SatchelError } from "../src/errors.js";
import { nodeEngine } from "../src/session/node.js";
import type { Engine, Graph } from "../src/session/session.js";
import { wasmEngine } from "../src/session/wasm.js";
import { missingFrom } from "../src/session/wasm-module.js";
import { onnx } from "./onnx.js";

const ENGINES: Record<string, () => Promise<Engine>> = {
  wasm: () => wasmEngine({ threads: 1 }),
  "wasm with threads": () => wasmEngine({ threads: 2 }),
  node: () => nodeEngine({ threads: 1 }),
};

const PRODUCT = onnx(
  [{ op: "MatMul", inputs: ["x", "w"], outputs: ["y"] }],
  [{ name: "x", axes: ["rows", 2] }],
  [{ name: "y", axes: ["rows", 3] }],
  [{ name: "w", shape: [2, 3], location: "w.data", offset: 4 }],
);
const SUM = onnx(
  [{ op: "Add", inputs: ["past", "x"], outputs: ["present"] }],
  [
    { name: "past", axes: ["n"] },
    { name: "x", axes: [1] },
  ],
  [{ name: "present", axes: ["n"] }],
);
const WEIGHTS = new Uint8Array(Float32Array.of(9, 1, 2, 3, 4, 5, 6).buffer);

function code(expected: string): (error: unknown) => boolean {
  return (error) => error instanceof SatchelError && error.code === expected;
}

async function product(engine: Engine): Promise<Graph> {
  return engine.open(PRODUCT, [{ name: "w.data", data: WEIGHTS }], "product.onnx");
}

for (const [name, make] of Object.entries(ENGINES)) {
  test(`${name}: weights in a file of their own, dynamic axes, a signature`, async () => {
    const engine = await make();
    assert.equal(engine.version, "1.30.0");
    const graph = await product(engine);
    assert.deepEqual(graph.signature, {
      inputs: [{ name: "x", dtype: "float32", axes: [null, 2] }],
      outputs: [{ name: "y", dtype: "float32", axes: [null, 3] }],
    });
    const x = engine.tensor("float32", [2, 2], Float32Array.of(1, 0, 10, 1));
    const { y } = await graph.run({ x }, { y: null });
    assert.deepEqual([...y!.shape], [2, 3]);
    assert.deepEqual([...y!.view()], [1, 2, 3, 14, 25, 36]);
    (x.view() as Float32Array).set([0, 1, 0, 0]);
    const second = await graph.run({ x }, { y: null });
    assert.deepEqual([...second.y!.view()], [4, 5, 6, 0, 0, 0]);
    assert.deepEqual([...y!.view()], [1, 2, 3, 14, 25, 36], "the first result is its caller's");
    for (const one of [x, y!, second.y!, graph, engine]) {
      one.dispose();
    }
  });

  test(`${name}: an output in the place of an input`, async () => {
    const engine = await make();
    const graph = await engine.open(SUM, []);
    const cache = engine.tensor("float32", [3]);
    const x = engine.tensor("float32", [1], Float32Array.of(2));
    for (let step = 1; step <= 3; step += 1) {
      const { present } = await graph.run({ past: cache, x }, { present: cache });
      assert.equal(present, cache);
      assert.deepEqual([...cache.view()], [2 * step, 2 * step, 2 * step]);
    }
    const other = engine.tensor("float32", [3]);
    await graph.run({ past: cache, x }, { present: other });
    assert.deepEqual([...other.view(), ...cache.view()], [8, 8, 8, 6, 6, 6]);
  });

  test(`${name}: types of tensors`, async () => {
    const engine = await make();
    assert.deepEqual([...engine.tensor("int64", [2], BigInt64Array.of(-1n, 5n)).view()], [-1n, 5n]);
    assert.deepEqual([...engine.tensor("int8", [2, 1], Int8Array.of(-1, 5)).view()], [-1, 5]);
    assert.deepEqual([...engine.tensor("int32", []).view()], [0]);
    assert.equal(engine.tensor("float16", [3]).view().byteLength, 6);
    assert.equal(engine.tensor("float32", [0, 4]).view().length, 0);
    assert.throws(() => engine.tensor("float32", [2], Float32Array.of(1)), code("USAGE"));
  });

  test(`${name}: what ONNX Runtime refuses has a code`, async () => {
    const engine = await make();
    await assert.rejects(engine.open(new Uint8Array(99).fill(7), [], "noise.onnx"), code("ORT"));
    await assert.rejects(engine.open(PRODUCT, [], "product.onnx"), /product\.onnx/);
    const short = [{ name: "w.data", data: WEIGHTS.subarray(0, 20) }];
    await assert.rejects(engine.open(PRODUCT, short), code("ORT"));
    const graph = await product(engine);
    const x = engine.tensor("float32", [1, 3]);
    await assert.rejects(graph.run({ x }, { y: null }), code("ORT"));
    await assert.rejects(graph.run({}, { y: null }), code("ORT"));
    const wrong = engine.tensor("float32", [1, 2]);
    await assert.rejects(graph.run({ x: wrong }, { y: x, z: null }), code("BUNDLE_IO"));
    graph.dispose();
    await assert.rejects(graph.run({ x: wrong }, { y: null }), code("USAGE"));
  });
}

test("wasm: weights are asked for piece by piece", async () => {
  const asked: [number, number][] = [];
  const data = {
    byteLength: WEIGHTS.byteLength,
    subarray: (start: number, end: number) => {
      asked.push([start, end]);
      return WEIGHTS.subarray(start, end);
    },
  };
  const engine = await wasmEngine({ threads: 1 });
  await engine.open(PRODUCT, [{ name: "w.data", data }]);
  assert.deepEqual(new Set(asked.map(String)), new Set(["4,28"]));
});

test("wasm: steps leave nothing behind in memory", async () => {
  const engine = await wasmEngine({ threads: 1 });
  const graph = await engine.open(SUM, []);
  const past = engine.tensor("float32", [100_000]);
  const x = engine.tensor("float32", [1]);
  const places = new Set<number>();
  for (let step = 0; step < 200; step += 1) {
    const { present } = await graph.run({ past, x }, { present: null });
    places.add(present!.view().byteOffset);
    present!.dispose();
  }
  assert.ok(places.size <= 2, `${places.size} places`);
});

test("wasm: threads end with the engine", async () => {
  const ends: Promise<unknown>[] = [];
  const started = (worker: { once(event: string, heard: (code: unknown) => void): void }) => {
    ends.push(new Promise((resolve) => worker.once("exit", resolve)));
  };
  process.on("worker", started as never);
  const engine = await wasmEngine({ threads: 3 });
  process.off("worker", started as never);
  assert.equal(ends.length, 2);
  engine.dispose();
  await Promise.all(ends);
});

test("a release of onnxruntime-web that lacks an entry is told by it", () => {
  assert.ok(missingFrom({ _OrtInit: 1 }).includes("_OrtRun"));
});

test("a number of threads that makes no sense is refused", async () => {
  await assert.rejects(wasmEngine({ threads: 0 }), code("USAGE"));
  await assert.rejects(nodeEngine({ threads: 1.5 }), code("USAGE"));
});
