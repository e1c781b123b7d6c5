/**
 * Puts files of conformance cases to the runtime in Node: node run.js [--engine wasm|node] FOLDER..., each with a `bundle` and
 * its `cases.json`. Prints what fails by kind and exits with 5 where something does.
 */
import { readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { SatchelError } from "../../src/errors.js";
import { load } from "../../src/load.js";
import { Tokenizer } from "../../src/tokenizer/tokenizer.js";
import { type Asked, type Given, KINDS } from "./asked.js";
import { differences } from "./likeness.js";

interface Case {
  readonly kind: string;
  readonly input: Given;
  readonly expect: unknown;
}

export interface Count {
  done: number;
  failed: number;
}

/** What of a folder's cases fails, by kind; `told` is given some of it. */
export async function conform(
  folder: string,
  engine: "node" | "wasm",
  told: (line: string) => void,
): Promise<Map<string, Count>> {
  const file = JSON.parse(readFileSync(join(folder, "cases.json"), "utf-8"));
  const counts = new Map<string, Count>();
  const bundle = join(folder, "bundle");
  // As many threads as Python takes: int8 sums differ in their last bits with one and with several.
  const model = await load(bundle, { engine, threads: engine === "wasm" ? 1 : undefined });
  let tokenizer: Tokenizer | undefined;
  const asked: Asked = {
    manifest: model.manifest,
    get tokenizer(): Tokenizer {
      tokenizer ??= Tokenizer.parse(readFileSync(join(bundle, "tokenizer.json"), "utf-8"));
      return tokenizer;
    },
    model,
  };
  for (const { kind, input, expect } of file.cases as Case[]) {
    const count = counts.get(kind) ?? { done: 0, failed: 0 };
    counts.set(kind, count);
    count.done += 1;
    const [first] = await fault(asked, kind, input, expect, file.tolerances);
    if (first !== undefined) {
      count.failed += 1;
      if (count.failed <= 3) {
        told(`${basename(folder)} ${kind} ${JSON.stringify(input).slice(0, 200)}: ${first}`);
      }
    }
  }
  await model.close();
  return counts;
}

async function fault(
  asked: Asked,
  kind: string,
  input: Given,
  expect: unknown,
  tolerances: Record<string, number>,
): Promise<string[]> {
  try {
    return [...differences(expect, await KINDS[kind]!(asked, input), tolerances)];
  } catch (error) {
    return [String((error as Error).stack ?? error).slice(0, 400)];
  }
}

async function main(): Promise<void> {
  const folders = process.argv.slice(2);
  const at = folders.indexOf("--engine");
  const engine = at < 0 ? "node" : (folders.splice(at, 2)[1] as "node" | "wasm");
  if (folders.length === 0) {
    console.error("no cases are named: make test-jvm writes them to android_demo/build/conformance");
    process.exit(2);
  }
  const total = new Map<string, Count>();
  for (const folder of folders) {
    try {
      for (const [kind, { done, failed }] of await conform(folder, engine, console.log)) {
        const sum = total.get(kind) ?? { done: 0, failed: 0 };
        total.set(kind, { done: sum.done + done, failed: sum.failed + failed });
      }
    } catch (error) {
      if (!(error instanceof SatchelError && error.message.includes("do not run here yet"))) {
        throw error;
      }
      console.log(`${basename(folder)}: ${error.message}`);
    }
  }
  for (const [kind, { done, failed }] of total) {
    console.log(`${kind.padEnd(16)} ${done - failed} of ${done}`);
  }
  const sum = (what: keyof Count) => [...total.values()].reduce((all, count) => all + count[what], 0);
  console.log(`${sum("done") - sum("failed")} passed, ${sum("failed")} failed`);
  process.exitCode = sum("failed") === 0 && sum("done") > 0 ? 0 : 5;
}

if (process.argv[1]?.endsWith("run.js") === true) {
  await main();
}
