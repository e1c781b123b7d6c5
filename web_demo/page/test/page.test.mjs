// The page in a real Chromium, with the bundles of this repository: node --test test/  (after tools/build.mjs dist)

import assert from "node:assert/strict";
import { once } from "node:events";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { chromium as playwright } from "playwright-core";
import { chromium, FLAGS } from "../tools/chromium.mjs";
import { HEADERS, serve } from "../tools/serve.mjs";

const HERE = fileURLToPath(new URL("..", import.meta.url));
const BUNDLES = fileURLToPath(new URL("../../../bundles", import.meta.url));
const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf-8");
const SERVED = ["g2p", "minilm-l6"].map((name) => join(BUNDLES, name));
const ORT = readdirSync(join(HERE, "dist")).find((name) => name.startsWith("ort-"));
const WASM = `${ORT}/ort-wasm-simd-threaded.wasm`;
const TABS = ["words", "chat", "search", "bundles", "bench"];

let browser;
let served;
const folder = mkdtempSync(join(tmpdir(), "satchel-page-"));

before(async () => {
  served = await serve(join(HERE, "dist"), SERVED);
  browser = await playwright.launch({ executablePath: chromium(), args: FLAGS });
});

after(async () => {
  await browser?.close();
  served?.server.close();
  rmSync(folder, { recursive: true });
});

/** A page of its own, with what it said that it should not and whom it asked. */
async function opened(address, about = {}) {
  const context = await browser.newContext(about);
  const page = await context.newPage();
  const told = { errors: [], asked: [], page, context };
  page.on("console", (message) => message.type() === "error" && told.errors.push(message.text()));
  page.on("pageerror", (error) => told.errors.push(error.message));
  context.on("request", (request) => told.asked.push(request.url()));
  await page.goto(address);
  return told;
}

const spelled = (page) => page.waitForFunction(() => document.querySelectorAll("#readings li").length === 4);

test("words are spelled at once, from this address alone", async () => {
  const { page, errors, asked, context } = await opened(served.address);
  await spelled(page);
  assert.equal(await page.textContent("#phonemes"), "S AE1 CH AH0 L");
  await page.fill("#word", "quantize");
  await page.waitForFunction(() => document.querySelector("#phonemes").textContent.startsWith("K W AA1 N"));
  assert.deepEqual(errors, []);
  assert.deepEqual(
    asked.filter((url) => !url.startsWith(served.address)),
    [],
  );
  await context.close();
});

test("a second visit fetches no weights", async () => {
  const { page, asked, context } = await opened(served.address);
  await spelled(page);
  asked.length = 0;
  await page.reload();
  await spelled(page);
  assert.deepEqual(
    asked.filter((url) => url.endsWith(".data")),
    [],
  );
  await page.click("#tab-bundles");
  await page.waitForSelector("#about table");
  await page.click("#forget");
  await page.waitForFunction(() => document.querySelector("#kept").textContent === "nothing");
  await context.close();
});

test("lines are found by meaning", async () => {
  const { page, errors, context } = await opened(`${served.address}#search`);
  await page.click("#search .opening button");
  await page.waitForSelector("#found li");
  await page.waitForFunction(() =>
    document.querySelector("#found li").textContent.startsWith("The laptop grows hot"),
  );
  assert.deepEqual(errors, []);
  await context.close();
});

test("tabs go by keys, and the address keeps which", async () => {
  const { page, context } = await opened(served.address);
  await page.focus("#tab-words");
  for (const name of ["chat", "search", "bundles", "bench", "words"]) {
    await page.keyboard.press("ArrowRight");
    assert.equal(await page.evaluate(() => document.activeElement.id), `tab-${name}`);
    assert.ok(await page.isVisible(`#${name}`));
    assert.equal(new URL(page.url()).hash, `#${name}`);
  }
  await context.close();
});

for (const colorScheme of ["light", "dark"]) {
  test(`nothing stands in the way of a screen reader, ${colorScheme}, on a phone's screen`, async () => {
    const viewport = { width: 360, height: 740 };
    const { page, context } = await opened(served.address, { colorScheme, viewport, bypassCSP: true });
    await spelled(page);
    await page.evaluate(AXE);
    for (const name of TABS) {
      await page.click(`#tab-${name}`);
      await page.waitForTimeout(300);
      const { violations } = await page.evaluate(() => globalThis.axe.run());
      assert.deepEqual(
        violations.map(({ id, nodes }) => `${name}: ${id}: ${nodes[0].html}`),
        [],
      );
      const width = await page.evaluate(() => document.documentElement.scrollWidth);
      assert.ok(width <= viewport.width, `${name} is ${width} pixels wide`);
    }
    await context.close();
  });
}

test("without isolation it runs with one thread", async () => {
  const { "Cross-Origin-Opener-Policy": _, "Cross-Origin-Embedder-Policy": __, ...headers } = HEADERS;
  const plain = await serve(join(HERE, "dist"), SERVED, { headers });
  const { page, context } = await opened(plain.address);
  await spelled(page);
  assert.equal(await page.textContent("#phonemes"), "S AE1 CH AH0 L");
  assert.match(await page.textContent("#machine"), /one thread/);
  await context.close();
  plain.server.close();
});

const FAULTS = {
  "a damaged file": [
    (bundle) => {
      const file = join(bundle, "decoder.onnx.data");
      const bytes = readFileSync(file);
      bytes[1000] ^= 1;
      writeFileSync(file, bytes);
    },
    /decoder\.onnx\.data does not match/,
  ],
  "a missing file": [(bundle) => rmSync(join(bundle, "encoder.onnx")), /encoder\.onnx/],
  "a manifest that was edited": [
    (bundle) => {
      const file = join(bundle, "manifest.json");
      writeFileSync(file, readFileSync(file, "utf-8").replace('"context": 512', '"context": 513'));
    },
    /manifest\.json is not as it was written/,
  ],
};
for (const [name, [damage, words]] of Object.entries(FAULTS)) {
  test(`${name} is told in one line`, async () => {
    const bundle = join(folder, name.replaceAll(" ", "-"), "g2p");
    cpSync(SERVED[0], bundle, { recursive: true });
    damage(bundle);
    const faulty = await serve(join(HERE, "dist"), [bundle]);
    const { page, context } = await opened(faulty.address);
    const alert = await page.waitForSelector("#words .opening [role=alert]");
    assert.match(await alert.textContent(), words);
    assert.ok((await alert.textContent()).length <= 600);
    assert.ok(await page.isVisible("#words .opening button"));
    await context.close();
    faulty.server.close();
  });
}

test("a full quota is told, and the bundle runs all the same", async () => {
  const { page, context, asked } = await opened("about:blank");
  const browsers = await context.newCDPSession(page);
  await browsers.send("Storage.overrideQuotaForOrigin", {
    origin: new URL(served.address).origin,
    quotaSize: 1e6,
  });
  await page.goto(served.address);
  await spelled(page);
  assert.match(
    await page.textContent("#warned"),
    /^the browser's room for this page is used up: \S+ is not kept$/,
  );
  assert.equal(await page.textContent("#phonemes"), "S AE1 CH AH0 L");
  asked.length = 0;
  await page.reload();
  await spelled(page);
  assert.ok(asked.some((url) => url.endsWith(".data"))); // it was not kept
  await context.close();
});

test("what a tab that was closed had fetched is not fetched again", async () => {
  const weights = readFileSync(join(SERVED[0], "encoder.onnx.data"));
  const ranges = [];
  let broken = true;
  let half;
  const sent = new Promise((resolve) => {
    half = resolve;
  });
  // Half of the file comes, then nothing more; later all that is asked for.
  const slow = createServer((request, response) => {
    if (!request.url.endsWith("encoder.onnx.data")) return served.server.emit("request", request, response);
    ranges.push(request.headers.range);
    if (!broken) return served.server.emit("request", request, response);
    response.writeHead(200, { ...HEADERS, "Content-Length": weights.length });
    response.write(weights.subarray(0, weights.length >> 1), half);
  });
  slow.listen(0, "127.0.0.1");
  await once(slow, "listening");
  const address = `http://127.0.0.1:${slow.address().port}/`;
  const { page, context } = await opened(address);
  await sent;
  const shown = await page.waitForFunction(() => document.querySelector("#words progress")?.value);
  assert.ok(Number(await shown.jsonValue()) > 0);
  await page.waitForTimeout(500); // the worker writes what has come
  await page.close();
  broken = false;
  const again = await context.newPage();
  await again.goto(address);
  await spelled(again);
  assert.equal(await again.textContent("#phonemes"), "S AE1 CH AH0 L");
  const [first, second] = [ranges[0], ranges.at(-1)];
  assert.equal(first, undefined);
  assert.match(second, /^bytes=[1-9]\d*-$/);
  await context.close();
  slow.closeAllConnections();
  slow.close();
});

test("what leads out of a folder, and what is not there, is not served", async () => {
  for (const [path, status] of [
    ["bundles/g2p/manifest.json", 200],
    ["bundles/g2p/..%2f..%2fpackage.json", 400],
    ["bundles/other/manifest.json", 404],
    ["..%2fpackage.json", 400],
  ]) {
    assert.equal((await fetch(served.address + path)).status, status, path);
  }
  const part = await fetch(`${served.address}icon.svg`, { headers: { Range: "bytes=4-7" } });
  assert.equal(part.status, 206);
  assert.equal((await part.arrayBuffer()).byteLength, 4);
  const wasm = await fetch(`${served.address}${WASM}`);
  assert.match(wasm.headers.get("cache-control"), /immutable/);
  assert.equal(wasm.headers.get("content-encoding"), "gzip");
  assert.deepEqual(Buffer.from(await wasm.arrayBuffer()), readFileSync(join(HERE, "dist", WASM)));
  const plain = { headers: { "Accept-Encoding": "identity" } };
  assert.equal((await fetch(`${served.address}style.css`, plain)).headers.get("content-encoding"), null);
  const beyond = await fetch(`${served.address}icon.svg`, { headers: { Range: "bytes=99999-" } });
  assert.equal(beyond.status, 416);
});
