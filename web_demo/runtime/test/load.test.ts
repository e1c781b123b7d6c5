import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import { SatchelError } from "../src/errors.js";
import { isKept, open, type Where } from "../src/load.js";
import { HandleFolder } from "../src/store/files.js";
import { bundleFiles } from "./bundles.js";
import { zip } from "./zips.js";

const files = bundleFiles(1000);
const folder = mkdtempSync(join(tmpdir(), "satchel-"));
for (const [name, bytes] of files) {
  writeFileSync(join(folder, name), bytes);
}
const archive = zip([...files]);
const path = join(folder, "bundle.zip");
writeFileSync(path, archive);
after(() => rmSync(folder, { recursive: true }));

function code(expected: string): (error: unknown) => boolean {
  return (error) => error instanceof SatchelError && error.code === expected;
}

test("a bundle lies in a folder, an archive, or among files that were chosen", async () => {
  const chosen = [...files].map(([name, bytes]) => new File([bytes as Uint8Array<ArrayBuffer>], name));
  const places: Where[] = [
    folder,
    pathToFileURL(folder),
    path,
    pathToFileURL(path).href,
    new Blob([archive]),
    chosen,
  ];
  for (const where of places) {
    const bundle = await open(where);
    assert.equal(await bundle.tokenizer(), "{}");
    assert.deepEqual(
      Buffer.from(await bundle.file("encoder.onnx.data").bytes()),
      Buffer.from(files.get("encoder.onnx.data")!),
    );
  }
});

test("a folder that a person chose in a browser", async () => {
  const named = (name: string) => Object.assign(new Error(name), { name });
  const handle = {
    name: "mine",
    async getFileHandle(name: string) {
      const bytes = files.get(name);
      if (name === "tokenizer.json") {
        throw named("TypeMismatchError");
      }
      if (bytes === undefined) {
        throw named("NotFoundError");
      }
      return { getFile: async () => new File([bytes as Uint8Array<ArrayBuffer>], name) };
    },
  } as unknown as FileSystemDirectoryHandle;
  assert.equal((await new HandleFolder(handle).file("encoder.onnx"))?.size, 5);
  assert.equal(await new HandleFolder(handle).file("other"), null);
  await assert.rejects(open(handle), code("BUNDLE_PATH"));
});

test("what is no place for a bundle", async () => {
  await assert.rejects(open(join(folder, "absent")), code("BUNDLE"));
  await assert.rejects(open(tmpdir()), /has no manifest\.json/);
  await assert.rejects(open([]), code("BUNDLE"));
  await assert.rejects(open(new Blob(["x"])), code("BUNDLE"));
  await assert.rejects(open(new URL("ftp://127.0.0.1/x")), code("USAGE"));
  await assert.rejects(open(3 as never), code("USAGE"));
  await assert.rejects(open("http://"), code("USAGE"));
  await assert.rejects(open(folder, { signal: AbortSignal.abort() }), { name: "AbortError" });
  assert.equal(await isKept("http://127.0.0.1:1/"), false);
});
