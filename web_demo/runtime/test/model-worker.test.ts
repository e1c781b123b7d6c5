/** A real model in a real worker: what computes in WebAssembly hears that it is to stop. */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { load } from "../src/load.js";
import type { DecoderModel } from "../src/models.js";
import { loadInWorker } from "../src/worker/client.js";

const bundle = join(
  process.env.SATCHEL_CONFORMANCE ?? "../../android_demo/build/conformance",
  "llama-int8-portable/bundle",
);
const skip = existsSync(bundle) ? false : "no bundles were made";

test("a worker answers as the model itself, and stops when told to", { skip }, async () => {
  const options = { maxNewTokens: 20, stop: [], seed: 3, temperature: 1 };
  const here = (await load(bundle, { engine: "wasm", threads: 1 })) as DecoderModel;
  const there = (await loadInWorker(bundle, { engine: "wasm", threads: 1 })) as DecoderModel;
  const expected = await here.generate("some words", options);
  assert.deepEqual((await there.generate("some words", options)).tokens, expected.tokens);
  let text = "";
  for await (const piece of there.stream("some words", options)) {
    text += piece;
  }
  assert.equal(text, expected.text);

  const cancel = new AbortController();
  const long = { maxNewTokens: null, stop: [], minNewTokens: 200, signal: cancel.signal };
  const stream = there.stream("some words", long);
  await stream.next();
  cancel.abort();
  const began = performance.now();
  let pieces = 0;
  try {
    for (let next = await stream.next(); next.done !== true; next = await stream.next()) {
      pieces += 1;
    }
  } catch (error) {
    assert.equal((error as Error).name, "AbortError");
  }
  assert.ok(pieces < 150, `${pieces} pieces in ${performance.now() - began} ms`);
  await here.close();
  await there.close();
});
