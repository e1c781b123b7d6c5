// Puts files of conformance cases to the runtime in Chromium: node conform.mjs FOLDER..., each with a `bundle` and its
// `cases.json`. Prints what fails by kind and exits with 5 where something does. The runtime must be built (npm test).

import { copyFileSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { chromium as playwright } from "playwright-core";
import { chromium, FLAGS } from "./chromium.mjs";
import { serve } from "./serve.mjs";

const RUNTIME = resolve(dirname(fileURLToPath(import.meta.url)), "../../runtime");
const { added, report } = await import(join(RUNTIME, "dist/test/conformance/cases.js"));

const folders = process.argv.slice(2);
if (folders.length === 0) {
  console.error("no cases are named: make test-jvm writes them to android_demo/build/conformance");
  process.exit(2);
}
const site = mkdtempSync(join(tmpdir(), "satchel-conform-"));
await build({
  entryPoints: { worker: join(RUNTIME, "test/conformance/tab.ts") },
  outdir: site,
  bundle: true,
  format: "esm",
  platform: "browser",
  external: ["onnxruntime-node", "node:*"],
  logLevel: "error",
});
writeFileSync(
  join(site, "index.html"),
  '<!doctype html><meta charset="utf-8"><link rel="icon" href="icon.svg">',
);
const ort = dirname(createRequire(join(RUNTIME, "package.json")).resolve("onnxruntime-web"));
for (const name of readdirSync(ort).filter((each) => /^ort-wasm-simd-threaded\.(mjs|wasm)$/.test(each))) {
  copyFileSync(join(ort, name), join(site, name));
}

const { server, address } = await serve(site, folders);
const browser = await playwright.launch({ executablePath: chromium(), args: FLAGS });
const page = await browser.newPage();
await page.goto(address);
const all = [];
for (const folder of folders) {
  const name = basename(resolve(folder));
  const answer = await page.evaluate(
    (about) =>
      new Promise((done, failed) => {
        const worker = new Worker("worker.js", { type: "module" });
        worker.onmessage = ({ data }) => {
          worker.terminate();
          done(data);
        };
        worker.onerror = (event) => failed(new Error(event.message ?? "the worker did not start"));
        worker.postMessage(about);
      }),
    { address: `${address}bundles/${name}/`, wasmFolder: address },
  );
  for (const line of answer.told ?? []) console.log(`${name} ${line}`);
  if (answer.skipped) console.log(`${name}: ${answer.skipped}`);
  if (answer.failed) throw new Error(`${name}: ${answer.failed}`);
  all.push(answer.counts ?? {});
}
await browser.close();
server.close();
rmSync(site, { recursive: true });
console.log(`in Chromium ${browser.version()}:`);
process.exitCode = report(added(all), console.log) ? 0 : 5;
