/** Bundles that were damaged, and manifests that were edited: refused as in Python, with the same code. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { openBundle } from "../src/bundle/bundle.js";
import { readManifest } from "../src/bundle/sealed.js";
import { SatchelError } from "../src/errors.js";
import { nodeEngine } from "../src/session/node.js";
import type { Engine } from "../src/session/session.js";
import { wasmEngine } from "../src/session/wasm.js";
import { NodeFolder } from "../src/store/node-folder.js";
import { hasher } from "../src/store/sha256.js";

// Written by `python -m tests.broken_bundles`, which `make test-jvm` does.
const broken = process.env.SATCHEL_BROKEN ?? "../../android_demo/build/broken";
const skip = existsSync(join(broken, "cases.json")) ? false : "no broken bundles were made";

interface Case {
  name: string;
  folder: string;
  code: string | null;
  when: "read" | "loaded";
}

type Row = [start: number, end: number, text: string, code: string | null, message: string | null];

async function outcome(doing: () => Promise<unknown>): Promise<SatchelError | null> {
  try {
    await doing();
    return null;
  } catch (error) {
    assert.ok(error instanceof SatchelError, String(error));
    return error;
  }
}

async function opened(folder: string, engine: Engine | null): Promise<void> {
  const bundle = await openBundle(new NodeFolder(join(broken, folder, "bundle")));
  for (const role of engine === null ? [] : Object.keys(bundle.manifest.graphs)) {
    (await bundle.graph(engine!, role)).dispose();
  }
}

function cases(when: Case["when"]): Case[] {
  const all = JSON.parse(readFileSync(join(broken, "cases.json"), "utf8")) as Case[];
  return all.filter((one) => one.when === when);
}

test("bundles that are refused when they are read", { skip }, async () => {
  for (const one of cases("read")) {
    const error = await outcome(() => opened(one.folder, null));
    assert.equal(error?.code ?? null, one.code, `${one.name}: ${error?.message}`);
  }
});

for (const [name, make] of Object.entries({ node: nodeEngine, wasm: wasmEngine })) {
  test(`bundles that are refused when they are loaded, ${name}`, { skip }, async () => {
    const engine = await make({ threads: 1 });
    for (const one of cases("loaded")) {
      if (one.name === "chat" || one.code === "TOKENIZER_INVALID") {
        continue; // the text's half
      }
      const error = await outcome(() => opened(one.folder, engine));
      assert.equal(error?.code ?? null, one.code, `${one.name}: ${error?.message}`);
    }
  });
}

function sealed(text: string): string {
  const body = text.trimEnd().replace(/\}$/, "").trimEnd();
  const hash = hasher();
  hash.update(new TextEncoder().encode(body));
  return `${body},\n "digest": "${hash.digest()}"\n}\n`;
}

test("edited manifests", { skip }, async () => {
  const kinds = JSON.parse(readFileSync(join(broken, "manifests.json"), "utf8")) as Record<
    string,
    { good: string; edits: Row[] }
  >;
  const others: string[] = [];
  let count = 0;
  for (const [kind, { good, edits }] of Object.entries(kinds)) {
    const points = [...good]; // Python counts code points
    await readManifest(sealed(good));
    for (const [start, end, middle, code, message] of edits) {
      const text = points.slice(0, start).join("") + middle + points.slice(points.length - end).join("");
      const error = await outcome(() => readManifest(sealed(text)));
      count += 1;
      if ((error?.code ?? null) !== code) {
        others.push(
          `${kind}: ${middle.slice(0, 80)}: ${code} (${message}), not ${error?.code} (${error?.message})`,
        );
      }
    }
  }
  assert.deepEqual(others.slice(0, 20), [], `${others.length} of ${count}`);
});
