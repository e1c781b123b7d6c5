/** A worker whose model computes nothing. */
import { parentPort } from "node:worker_threads";
import { SatchelError } from "../src/errors.js";
import type { LoadOptions, Where } from "../src/load.js";
import type { AnyModel, GenerateOptions } from "../src/models.js";
import { serveModel } from "../src/worker/serve.js";

const turn = () => new Promise((resolve) => setImmediate(resolve));

let cancelled = 0;

const model = {
  manifest: { task: "generate", family: "decoder" },
  engine: { name: "fake", version: "1", threads: 1, tensor: () => null },
  async generate(prompt: string, options: GenerateOptions) {
    while (prompt === "endless") {
      await turn();
      options.signal?.throwIfAborted();
    }
    return { text: `${prompt}!`, ...options, cancelled };
  },
  async *stream(prompt: string, options: GenerateOptions) {
    try {
      for (const piece of prompt.split(" ")) {
        yield piece;
        await turn();
      }
      while (prompt.startsWith("endless")) {
        yield "more";
        await turn();
        options.signal?.throwIfAborted();
      }
      return { text: prompt };
    } catch (error) {
      cancelled += 1;
      throw error;
    }
  },
  async score() {
    throw SatchelError.limit("too long", "PROMPT_TOO_LONG");
  },
  async logits() {
    process.exit(3);
  },
  async close() {},
};

async function load(where: Where, options: LoadOptions): Promise<AnyModel> {
  options.onProgress?.(5, 10, "a.data");
  options.onWarning?.("careful");
  if (where === "absent") {
    throw SatchelError.bundle("not there");
  }
  while (where === "slow") {
    await turn();
    options.signal?.throwIfAborted();
  }
  return { ...model, manifest: { ...model.manifest, source: { where, threads: options.threads } } } as never;
}

const port = parentPort!;
serveModel(
  { post: (message) => port.postMessage(message), listen: (heard) => port.on("message", heard) },
  load,
);
