/** What a user of this package imports. */
export type { Manifest } from "./bundle/manifest.js";
export { SatchelError } from "./errors.js";
export { isKept, type LoadOptions, load, type Where } from "./load.js";
export type * from "./models.js";
export { VERSION as ONNXRUNTIME_WEB } from "./session/wasm-module.js";
export { forget, kept } from "./store/keep.js";
export { loadInWorker, type WorkerOptions } from "./worker/client.js";
