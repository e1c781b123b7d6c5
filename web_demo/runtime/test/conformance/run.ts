/**
 * Puts files of conformance cases to the runtime in Node: node run.js [--engine wasm|node] FOLDER..., each with a `bundle` and
 * its `cases.json`. Prints what fails by kind and exits with 5 where something does.
 */
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { SatchelError } from "../../src/errors.js";
import { load } from "../../src/load.js";
import { added, type Counts, conform, report } from "./cases.js";

/** Cases done and failed of a folder's, by kind. */
async function ofFolder(folder: string, engine: "node" | "wasm"): Promise<Counts> {
  const file = JSON.parse(readFileSync(join(folder, "cases.json"), "utf-8"));
  const bundle = join(folder, "bundle");
  // As many threads as Python takes: int8 sums differ in their last bits with one and with several.
  const model = await load(bundle, { engine, threads: engine === "wasm" ? 1 : undefined });
  const tokenizer = () => readFileSync(join(bundle, "tokenizer.json"), "utf-8");
  const counts = await conform(model, tokenizer, file, (line) => console.log(`${basename(folder)} ${line}`));
  await model.close();
  return counts;
}

const folders = process.argv.slice(2);
const at = folders.indexOf("--engine");
const engine = at < 0 ? "node" : (folders.splice(at, 2)[1] as "node" | "wasm");
if (folders.length === 0) {
  console.error("no cases are named: make test-jvm writes them to android_demo/build/conformance");
  process.exit(2);
}
const all: Counts[] = [];
for (const folder of folders) {
  try {
    all.push(await ofFolder(folder, engine));
  } catch (error) {
    if (!(error instanceof SatchelError && error.message.includes("do not run here yet"))) {
      throw error;
    }
    console.log(`${basename(folder)}: ${error.message}`);
  }
}
process.exitCode = report(added(all), console.log) ? 0 : 5;
