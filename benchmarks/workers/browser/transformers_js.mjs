// The same weights in a tab, by transformers.js.

import { AutoModelForCausalLM, env, pipeline, Tensor } from "@huggingface/transformers";
import { answer } from "./answer.mjs";

let extract;
let model;

answer({
  async load(where, threads, wasmFolder) {
    const { pathname } = new URL(where);
    const [root, name] = [pathname.replace(/[^/]+\/$/, ""), pathname.split("/").at(-2)];
    env.allowRemoteModels = false;
    env.allowLocalModels = true;
    env.localModelPath = root; // a whole address would not be looked at for a tokenizer
    env.backends.onnx.wasm.numThreads = threads;
    const file = `${wasmFolder}ort-wasm-simd-threaded`;
    env.backends.onnx.wasm.wasmPaths = { mjs: `${file}.mjs`, wasm: `${file}.wasm` };
    const config = await (await fetch(`${where}config.json`)).json();
    const how = { dtype: "q8", device: "wasm" };
    if (config.architectures.some((each) => each.endsWith("ForCausalLM"))) {
      model = await AutoModelForCausalLM.from_pretrained(name, how);
    } else {
      extract = await pipeline("feature-extraction", name, how);
    }
    return { "transformers.js": env.version, onnxruntime: env.backends.onnx.versions.web, threads: String(threads) };
  },

  /** Vectors of texts, `batch` of them at once, padded to the longest. */
  async embed(texts, batch) {
    const vectors = [];
    for (let i = 0; i < texts.length; i += batch) {
      const found = await extract(texts.slice(i, i + batch), { pooling: "mean", normalize: true });
      vectors.push(...found.tolist());
    }
    return vectors;
  },

  /** So many new ids, the likeliest each. */
  async write(ids, count) {
    const whole = (list) => new Tensor("int64", BigInt64Array.from(list, BigInt), [1, list.length]);
    const found = await model.generate({
      input_ids: whole(ids),
      attention_mask: whole(ids.map(() => 1)),
      max_new_tokens: count,
      min_new_tokens: count,
      do_sample: false,
      repetition_penalty: 1,
    });
    return found.tolist()[0].slice(ids.length).map(Number);
  },
});
