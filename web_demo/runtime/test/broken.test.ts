/** Bundles that were damaged, and manifests that were edited: refused as in Python, with the same code. */
import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { openBundle } from "../src/bundle/bundle.js";
import { readManifest } from "../src/bundle/sealed.js";
import { SatchelError } from "../src/errors.js";
import { load } from "../src/load.js";
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

function cases(when: Case["when"]): Case[] {
  const all = JSON.parse(readFileSync(join(broken, "cases.json"), "utf8")) as Case[];
  return all.filter((one) => one.when === when);
}

test("bundles that are refused when they are read", { skip }, async () => {
  for (const one of cases("read")) {
    const error = await outcome(() => openBundle(new NodeFolder(join(broken, one.folder, "bundle"))));
    assert.equal(error?.code ?? null, one.code, `${one.name}: ${error?.message}`);
  }
});

for (const engine of ["node", "wasm"] as const) {
  test(`bundles that are refused when they are loaded, ${engine}`, { skip }, async () => {
    for (const one of cases("loaded")) {
      const error = await outcome(async () => {
        const model = await load(join(broken, one.folder, "bundle"), { engine, threads: 1 });
        await model.close();
      });
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
