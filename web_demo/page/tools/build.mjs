// Builds the page into a folder: node build.mjs OUT
//
// One file for the page, one for the worker that holds the models, and ONNX Runtime's WebAssembly as it is published.

import { copyFile, mkdir, readdir, readFile, rm } from "node:fs/promises";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const PAGE = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const RUNTIME = resolve(PAGE, "../runtime");

/** The files of onnxruntime-web that `wasm.ts` fetches. */
const WASM = /^ort-wasm-simd-threaded\.(mjs|wasm)$/;

const out = resolve(process.argv[2] ?? "dist");
await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
await build({
  entryPoints: { main: join(PAGE, "src/main.ts"), worker: join(RUNTIME, "src/worker/worker.ts") },
  outdir: out,
  bundle: true,
  format: "esm",
  platform: "browser",
  target: "es2022",
  minify: true,
  sourcemap: true,
  external: ["onnxruntime-node", "node:*"],
  alias: { "satchel-web": join(RUNTIME, "src/index.ts") },
  logLevel: "warning",
});
for (const name of ["index.html", "style.css", "icon.svg"]) await copyFile(join(PAGE, name), join(out, name));
const ort = dirname(createRequire(join(RUNTIME, "package.json")).resolve("onnxruntime-web"));
const { version } = JSON.parse(await readFile(join(ort, "../package.json"), "utf-8"));
// A folder named after the release: what is in it never changes, so that a browser may keep it, compiled too.
const folder = join(out, `ort-${version}`);
await mkdir(folder);
for (const name of (await readdir(ort)).filter((each) => WASM.test(each))) {
  await copyFile(join(ort, name), join(folder, name));
}
