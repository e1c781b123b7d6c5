import assert from "node:assert/strict";
import { test } from "node:test";
import { SatchelError } from "../src/errors.js";
import type { DecoderModel } from "../src/models.js";
import { loadInWorker, type WorkerOptions } from "../src/worker/client.js";

const worker = new URL("./fake-worker.js", import.meta.url);

function code(expected: string): (error: unknown) => boolean {
  return (error) => error instanceof SatchelError && error.code === expected;
}

async function fake(where = "/somewhere", options: WorkerOptions = {}): Promise<DecoderModel> {
  return (await loadInWorker(where, { worker, ...options })) as DecoderModel;
}

test("a model in a worker is one like any other", async () => {
  const told: unknown[] = [];
  const model = await fake("/somewhere", {
    threads: 3,
    onProgress: (...progress) => told.push(progress),
    onWarning: (message) => told.push(message),
  });
  assert.deepEqual(told, [[5, 10, "a.data"], "careful"]);
  assert.deepEqual(model.manifest.source, { where: "/somewhere", threads: 3 });
  assert.deepEqual(model.engine, { name: "fake", version: "1", threads: 1 });
  const answer = await model.generate("hello", { topK: 3 });
  assert.deepEqual(answer, { text: "hello!", topK: 3, cancelled: 0 });
  await model.close();
  await model.close();
  await assert.rejects(model.generate("hello"), code("CLOSED"));
});

test("pieces come one by one, and the whole at last", async () => {
  const model = await fake();
  const stream = model.stream("a b c");
  const pieces: string[] = [];
  let next = await stream.next();
  for (; next.done !== true; next = await stream.next()) {
    pieces.push(next.value);
  }
  assert.deepEqual(pieces, ["a", "b", "c"]);
  assert.deepEqual(next.value, { text: "a b c" });
  const together = await Promise.all([model.generate("x"), model.stream("y").next()]);
  assert.deepEqual([together[0].text, together[1].value], ["x!", "y"]);
  await model.close();
});

test("a signal ends what it was given to, and leaving a stream ends it", async () => {
  const model = await fake();
  const cancel = new AbortController();
  const answer = model.generate("endless", { signal: cancel.signal });
  cancel.abort();
  await assert.rejects(answer, { name: "AbortError" });
  await assert.rejects(model.generate("x", { signal: cancel.signal }), { name: "AbortError" });

  const other = new AbortController();
  const reason = new Error("enough");
  await assert.rejects(async () => {
    for await (const piece of model.stream("endless", { signal: other.signal })) {
      if (piece === "more") {
        other.abort(reason);
      }
    }
  }, reason);
  for await (const piece of model.stream("endless")) {
    if (piece === "more") {
      break;
    }
  }
  const asked = async () => ((await model.generate("x")) as unknown as { cancelled: number }).cancelled;
  while ((await asked()) < 2) {}
  await model.close();
});

test("errors keep their code", async () => {
  const model = await fake();
  await assert.rejects(model.score("x"), (error) => {
    assert.ok(error instanceof SatchelError);
    assert.deepEqual([error.message, error.code, error.exitStatus], ["too long", "PROMPT_TOO_LONG", 6]);
    return true;
  });
  assert.throws(() => (model as unknown as { embed(text: string): unknown }).embed("x"), code("WRONG_TASK"));
  await assert.rejects(model.generate((() => "x") as never), code("USAGE"));
  await assert.rejects((model as unknown as { logits(): Promise<unknown> }).logits(), code("WORKER"));
  await model.close();
  await assert.rejects(fake("absent"), code("BUNDLE"));
});

test("loading is given up at once", async () => {
  const cancel = new AbortController();
  const loading = fake("slow", { signal: cancel.signal });
  setTimeout(() => cancel.abort(), 50);
  await assert.rejects(loading, { name: "AbortError" });
  await assert.rejects(fake("x", { signal: cancel.signal }), { name: "AbortError" });
});

test("the script's own worker answers, and one that is not there fails", async () => {
  await assert.rejects(loadInWorker("/nowhere"), /does not exist/);
  const gone = new URL("./gone.js", import.meta.url);
  await assert.rejects(loadInWorker("x", { worker: gone }), code("WORKER"));
});
