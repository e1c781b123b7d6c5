// A tab of Chromium that answers JSON lines: node worker.mjs ENGINE MODEL --threads N [--packages FOLDER]
//
// ENGINE is a file beside this one, built into a worker of the tab, whose functions are what is asked for.
// A command is {"op": NAME, "given": [...]}; `open` makes a tab anew, which with "fresh" has nothing kept. An answer
// holds what the function returned, the seconds that it took in the tab, and the bytes that the server sent for it.

import { copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

const HERE = dirname(fileURLToPath(import.meta.url));
const WEB = resolve(HERE, "../../../web_demo");
const { chromium, FLAGS } = await import(join(WEB, "page/tools/chromium.mjs"));
const { HEADERS, serve } = await import(join(WEB, "page/tools/serve.mjs"));
const ofPage = createRequire(join(WEB, "page/package.json"));
const { build } = ofPage("esbuild");
const { chromium: playwright } = ofPage("playwright-core");

// An engine may load code from blobs; what gives it threads stays.
const { "Content-Security-Policy": _, ...SERVED } = HEADERS;
const PAGE = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><script type="module">
const worker = new Worker("worker.js", { type: "module" });
globalThis.ask = (name, given) => new Promise((answered, failed) => {
  worker.onmessage = ({ data }) => (data.error === undefined ? answered(data) : failed(new Error(data.error)));
  worker.onerror = (event) => failed(new Error(event.message ?? "the worker failed"));
  worker.postMessage({ name, given });
});
</script>`;

const { values, positionals } = parseArgs({
  options: { threads: { type: "string" }, packages: { type: "string" } },
  allowPositionals: true,
});
const [engine, model] = positionals;
const folder = mkdtempSync(join(tmpdir(), "satchel-browser-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));

const modules = values.packages ? join(resolve(values.packages), "node_modules") : join(WEB, "runtime/node_modules");
const site = join(folder, "site");
await build({
  entryPoints: { worker: join(HERE, `${engine}.mjs`) },
  outdir: site,
  bundle: true,
  format: "esm",
  platform: "browser",
  minify: true,
  external: ["onnxruntime-node", "node:*"],
  alias: { "satchel-web": join(WEB, "runtime/src/index.ts") },
  nodePaths: [modules],
  logLevel: "error",
});
writeFileSync(join(site, "index.html"), PAGE);
const library = join(modules, "onnxruntime-web/dist");
for (const name of readdirSync(library)) {
  if (/^ort-wasm-simd-threaded.*\.(mjs|wasm)$/.test(name)) copyFileSync(join(library, name), join(site, name));
}

const { server, address } = await serve(site, [model], { headers: SERVED });
const sockets = new Set();
server.on("connection", (socket) => sockets.add(socket));
const sent = () => [...sockets].reduce((sum, socket) => sum + socket.bytesWritten, 0);

let context;
let tab;

/** A tab with the model loaded: what it took from opening it. */
async function open(fresh) {
  if (fresh || !context) {
    await context?.close();
    context = await playwright.launchPersistentContext(mkdtempSync(join(folder, "profile-")), {
      executablePath: chromium(),
      args: FLAGS,
    });
  }
  await tab?.close().catch(() => undefined); // it went with its context
  tab = await context.newPage();
  tab.on("pageerror", (error) => console.error(error.message));
  const [bytes, began] = [sent(), performance.now()];
  await tab.goto(address);
  const { value } = await ask("load", [`${address}bundles/${basename(resolve(model))}/`, Number(values.threads), address]);
  return { value, seconds: (performance.now() - began) / 1e3, bytes: sent() - bytes };
}

async function ask(name, given) {
  return tab.evaluate(([name, given]) => globalThis.ask(name, given), [name, given]);
}

const say = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`);
const { value: versions, seconds } = await open(true);
say({ seconds, versions: { ...versions, Chromium: context.browser()?.version() ?? "" } });
for await (const line of createInterface({ input: process.stdin })) {
  const { op, given, fresh } = JSON.parse(line);
  say(op === "open" ? await open(fresh) : await ask(op, given));
}
await context.close();
server.close();
process.exit(0);
