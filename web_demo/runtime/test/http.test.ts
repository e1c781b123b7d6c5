import assert from "node:assert/strict";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, beforeEach, test } from "node:test";
import { openBundle } from "../src/bundle/bundle.js";
import { SatchelError } from "../src/errors.js";
import { HttpFolder } from "../src/store/http.js";
import { kept as allKept, forget, opfsKeeper } from "../src/store/keep.js";
import { bundleFiles } from "./bundles.js";
import { installOpfs, room } from "./opfs.js";

const WEIGHTS = "encoder.onnx.data";
const SIZE = 300_000;
const good = bundleFiles(SIZE);

let files = good;
let ranges = true;
/** Requests that break after so many bytes. */
let breaks: number[] = [];
let failures: number[] = [];
let asked: string[] = [];

function answer(request: IncomingMessage, response: ServerResponse): void {
  const name = decodeURIComponent(request.url ?? "").replace("/bundle/", "");
  asked.push(request.headers.range === undefined ? name : `${name} ${request.headers.range}`);
  const bytes = files.get(name);
  const status = name === WEIGHTS ? failures.shift() : undefined;
  if (bytes === undefined || status !== undefined) {
    response.writeHead(status ?? 404).end("no");
    return;
  }
  const from = ranges ? Number(/bytes=(\d+)-/.exec(request.headers.range ?? "")?.[1] ?? 0) : 0;
  if (from > 0) {
    response.setHeader("Content-Range", `bytes ${from}-${bytes.length - 1}/${bytes.length}`);
  }
  response.writeHead(from > 0 ? 206 : 200, { "Content-Length": bytes.length - from });
  const until = name === WEIGHTS ? breaks.shift() : undefined;
  if (until === undefined) {
    response.end(bytes.subarray(from));
  } else {
    response.write(bytes.subarray(from, from + until), () => setTimeout(() => response.destroy(), 20));
  }
}

const server = createServer(answer);
let url: URL;

before(async () => {
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  url = new URL(`http://127.0.0.1:${(server.address() as AddressInfo).port}/bundle`);
});
after(() => server.close());
beforeEach(() => {
  [files, ranges, breaks, failures, asked] = [good, true, [], [], []];
});

function folder(keeper?: Awaited<ReturnType<typeof opfsKeeper>>, warnings: string[] = []): HttpFolder {
  return new HttpFolder(url, { keeper, pause: 1, onWarning: (message) => warnings.push(message) });
}

function code(expected: string): (error: unknown) => boolean {
  return (error) => error instanceof SatchelError && error.code === expected;
}

async function weightsAreRight(bundle: Awaited<ReturnType<typeof openBundle>>): Promise<void> {
  assert.deepEqual(Buffer.from(await bundle.file(WEIGHTS).bytes()), Buffer.from(good.get(WEIGHTS)!));
}

test("all files, with progress", async () => {
  const told: [string, number, number][] = [];
  const bundle = await openBundle(folder(), { onProgress: (p) => told.push([p.file, p.loaded, p.total]) });
  await weightsAreRight(bundle);
  assert.equal(asked.length, 4);
  const total = bundle.size;
  assert.deepEqual(told.at(-1), ["tokenizer.json", total, total]);
  assert.ok(told.every(([, loaded], index) => index === 0 || loaded >= told[index - 1]![1]));
});

test("a connection that breaks is taken up where it broke", async () => {
  breaks = [100_000, 50_000];
  failures = [503];
  await weightsAreRight(await openBundle(folder()));
  const ours = asked.filter((name) => name.startsWith(WEIGHTS));
  assert.deepEqual(ours, [WEIGHTS, WEIGHTS, `${WEIGHTS} bytes=100000-`, `${WEIGHTS} bytes=150000-`]);
  [breaks, ranges, asked] = [[100_000], false, []];
  await weightsAreRight(await openBundle(folder()));
});

test("what no server has, what it refuses, and what it has instead", async () => {
  files = new Map();
  await assert.rejects(openBundle(folder()), code("BUNDLE"));
  files = new Map([...good].filter(([name]) => name !== WEIGHTS));
  await assert.rejects(openBundle(folder()), code("BUNDLE_FILE"));
  failures = [403];
  await assert.rejects(openBundle(folder()), code("STORAGE"));
  failures = [500, 500, 500, 500, 500];
  files = good;
  await assert.rejects(openBundle(folder()), code("STORAGE"));
  files = new Map([...good, [WEIGHTS, Buffer.from("\n<!DOCTYPE html>")]]);
  await assert.rejects(openBundle(folder()), /16 bytes.*web page/);
  files = new Map([...good, [WEIGHTS, new Uint8Array(SIZE + 1)]]);
  await assert.rejects(openBundle(folder()), code("BUNDLE_HASH"));
  files = new Map([...good, [WEIGHTS, new Uint8Array(SIZE)]]);
  await assert.rejects(openBundle(folder()), /does not match/);
  await assert.rejects(openBundle(new HttpFolder(new URL("http://127.0.0.1:1/"))), code("STORAGE"));
});

test("what was fetched is kept, and checked when it is read again", async () => {
  const kept = installOpfs();
  const keeper = await opfsKeeper();
  await weightsAreRight(await openBundle(folder(keeper)));
  assert.equal(kept.size, 3);
  asked = [];
  await weightsAreRight(await openBundle(folder(keeper)));
  assert.deepEqual(asked, ["manifest.json"]);
  const [largest] = [...kept].sort(([, a], [, b]) => b.length - a.length);
  largest![1][5]! ^= 1;
  await weightsAreRight(await openBundle(folder(keeper)));
  assert.deepEqual(asked, ["manifest.json", "manifest.json", WEIGHTS]);
});

test("a download that was broken off goes on later", async () => {
  installOpfs();
  const keeper = await opfsKeeper();
  const cancel = new AbortController();
  breaks = [120_000];
  const onProgress = ({ file, loaded }: { file: string; loaded: number }) => {
    if (file === WEIGHTS && loaded > 100_000) {
      cancel.abort();
    }
  };
  await assert.rejects(openBundle(folder(keeper), { signal: cancel.signal, onProgress }), {
    name: "AbortError",
  });
  asked = [];
  await weightsAreRight(await openBundle(folder(keeper)));
  assert.match(asked[1]!, /encoder\.onnx\.data bytes=1\d{5}-/);
});

test("half of another file of the same place is of no use, and fetched anew", async () => {
  const kept = installOpfs();
  const keeper = await opfsKeeper();
  const { sha256 } = (await openBundle(folder(keeper))).manifest.files[WEIGHTS]!;
  kept.set(sha256, new Uint8Array(1000));
  asked = [];
  await weightsAreRight(await openBundle(folder(keeper)));
  assert.deepEqual(asked.slice(1), [`${WEIGHTS} bytes=1000-`, WEIGHTS]);
});

test("without room files are used and not kept", async () => {
  for (const where of ["told", "quota"] as const) {
    const kept = installOpfs();
    room[where] = 10_000;
    const warnings: string[] = [];
    await weightsAreRight(await openBundle(folder(await opfsKeeper(), warnings)));
    assert.match(warnings.join(), where === "told" ? /no room/ : /is not kept/);
    assert.ok([...kept.values()].every((bytes) => bytes.length < 10_000));
  }
});

test("kept files that are wrong are not kept", async () => {
  const kept = installOpfs();
  const keeper = await opfsKeeper();
  files = new Map([...good, [WEIGHTS, Buffer.from("version https://git-lfs.github.com/spec/v1")]]);
  await assert.rejects(openBundle(folder(keeper)), /git lfs pull/);
  assert.equal(kept.size, 1);
  const [file] = await allKept();
  assert.deepEqual(file, { sha256: file!.sha256, bytes: 5 });
  await forget();
  assert.equal(kept.size, 0);
});
