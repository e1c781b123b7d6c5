// A bundle in a tab, by satchel-web.

import { load } from "satchel-web";
import { answer } from "./answer.mjs";

let model;

answer({
  async load(where, threads, wasmFolder) {
    model = await load(where, { threads, wasmFolder });
    return { onnxruntime: model.engine.version, threads: String(model.engine.threads) };
  },

  /** Vectors of texts; it groups them as it likes. */
  async embed(texts) {
    return (await model.embed(texts)).map((vector) => Array.from(vector));
  },

  /** So many new ids, the likeliest each. */
  async write(ids, count) {
    const asked = { maxNewTokens: count, minNewTokens: count, temperature: 0, lookup: false };
    return (await model.generate(ids, asked)).tokens;
  },
});
