/** The script of a worker that holds a model, in a browser or in Node. */
import { load } from "../load.js";
import type { Port } from "./protocol.js";
import { serveModel } from "./serve.js";

if (globalThis.process?.versions?.node !== undefined) {
  const name = "node:worker_threads";
  const { parentPort } = (await import(name)) as typeof import("node:worker_threads");
  const port: Port = {
    post: (message) => parentPort?.postMessage(message),
    listen: (heard) => parentPort?.on("message", heard),
  };
  serveModel(port, load);
} else {
  // At once: what a page says while this script waits for something would be lost.
  const scope = globalThis as unknown as Worker;
  const port: Port = {
    post: (message) => scope.postMessage(message),
    listen: (heard) => scope.addEventListener("message", ({ data }) => heard(data)),
  };
  serveModel(port, load);
}
