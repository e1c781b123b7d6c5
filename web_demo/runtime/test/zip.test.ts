import assert from "node:assert/strict";
import { test } from "node:test";
import { openBundle } from "../src/bundle/bundle.js";
import { SatchelError } from "../src/errors.js";
import { ZipSource } from "../src/store/zip.js";
import { bundleFiles } from "./bundles.js";
import { zip } from "./zips.js";

const ONE = Uint8Array.of(1);

function source(bytes: Uint8Array<ArrayBuffer>): ZipSource {
  return new ZipSource(new Blob([bytes]));
}

async function refused(bytes: Uint8Array<ArrayBuffer>, code: string, name = "a.onnx"): Promise<void> {
  await assert.rejects(
    async () => {
      const file = await source(bytes).file(name);
      await file?.bytes();
    },
    (error) => error instanceof SatchelError && error.code === code,
    code,
  );
}

test("files at the top and in one folder, packed or not", async () => {
  const files = bundleFiles(100_000);
  for (const folder of ["", "my bundle/"]) {
    for (const stored of [false, true]) {
      const all = [...files].map(([name, bytes]): [string, Uint8Array] => [folder + name, bytes]);
      const bundle = await openBundle(source(zip(all, stored)));
      for (const name of Object.keys(bundle.manifest.files)) {
        assert.deepEqual(Buffer.from(await bundle.file(name).bytes()), Buffer.from(files.get(name)!));
      }
    }
  }
});

test("what a Mac adds is passed over", async () => {
  const paths = ["bundle/", "bundle/a.onnx", "__MACOSX/bundle/._a.onnx", "bundle/.DS_Store"];
  const archive = source(zip(paths.map((path) => [path, path.endsWith("/") ? new Uint8Array() : ONE])));
  assert.deepEqual(await (await archive.file("a.onnx"))?.bytes(), ONE);
  assert.equal(await archive.file("b.onnx"), null);
});

test("paths that lead out, folders inside, names that no bundle has", async () => {
  const out = ["../a.onnx", "/a.onnx", "./a.onnx", "..\\a.onnx", "C:\\a.onnx", "a\0.onnx"];
  const inside = ["bundle/onnx/a.onnx", "../../a.onnx", "bundle/../a.onnx", "//a.onnx"];
  const names = [".hidden", "A.onnx", "a b.onnx", "..", "a".repeat(65), "café", "a:b"];
  for (const path of [...out, ...inside, ...names]) {
    await refused(zip([[path, ONE]]), "BUNDLE_PATH");
  }
  const twice: [string, Uint8Array][] = [
    ["a.onnx", ONE],
    ["a.onnx", ONE],
  ];
  await refused(zip(twice), "BUNDLE_PATH");
});

test("two folders, too many entries", async () => {
  const two = (path: string): [string, Uint8Array][] => [
    ["one/a.onnx", ONE],
    [path, ONE],
  ];
  await refused(zip(two("two/b.onnx")), "BUNDLE");
  await refused(zip(two("b.onnx")), "BUNDLE");
  await refused(zip(Array.from({ length: 65 }, (_, index) => [`file${index}`, ONE])), "BUNDLE");
});

test("what grows absurdly is refused, what shrinks well is not", async () => {
  for (const path of ["a.onnx", "__MACOSX/a"]) {
    await refused(zip([[path, new Uint8Array(64 << 20)]]), "TOO_LARGE");
  }
  const lies = zip([["a.onnx", new Uint8Array(1 << 20)]]);
  const view = new DataView(lies.buffer);
  view.setUint32(lies.length - 22 - 46 - 6 + 24, 10, true); // the size in the list of entries
  await refused(lies, "BUNDLE");
  const text = Buffer.from(Array.from({ length: 400_000 }, (_, id) => `"token ${id}": ${id},\n`).join(""));
  const file = await source(zip([["tokenizer.json", text]])).file("tokenizer.json");
  assert.deepEqual(Buffer.from(await file!.bytes()), text);
});

test("no archive, a damaged one, one that was cut short", async () => {
  await refused(new Uint8Array(), "BUNDLE");
  await refused(new Uint8Array(Buffer.from("a web page")), "BUNDLE");
  await refused(zip([]), "BUNDLE");
  const noise = bundleFiles(50_000).get("encoder.onnx.data")!;
  const damaged = zip([["a.onnx", noise]]);
  damaged[20_000]! ^= 1;
  await refused(damaged, "BUNDLE");
  await refused(zip([["a.onnx", noise]]).slice(0, 20_000), "BUNDLE");
});
