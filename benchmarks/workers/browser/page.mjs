// The page of web_demo in Chromium, visited again and again: node page.mjs BUNDLE

import { mkdtempSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { dirname, join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

const PAGE = resolve(dirname(fileURLToPath(import.meta.url)), "../../../web_demo/page");
const { chromium, FLAGS } = await import(join(PAGE, "tools/chromium.mjs"));
const { serve } = await import(join(PAGE, "tools/serve.mjs"));
const { chromium: playwright } = createRequire(join(PAGE, "package.json"))("playwright-core");

const folder = mkdtempSync(join(tmpdir(), "satchel-browser-"));
process.on("exit", () => rmSync(folder, { recursive: true, force: true }));
const { server, address } = await serve(join(PAGE, "dist"), [process.argv[2]]);
const context = await playwright.launchPersistentContext(folder, { executablePath: chromium(), args: FLAGS });

/** Milliseconds after which a browser has kept the module that it compiled, as where a person reads the page. */
const STAY = 6000;

/** Seconds from asking for the page to the first phoneme on it. */
async function visit(stay = 0) {
  const tab = await context.newPage();
  const began = performance.now();
  await tab.goto(address, { waitUntil: "commit" });
  await tab.waitForFunction(() => document.querySelector("#phonemes")?.textContent);
  const seconds = (performance.now() - began) / 1e3;
  await tab.waitForTimeout(stay);
  await tab.close();
  return { seconds };
}

const say = (answer) => process.stdout.write(`${JSON.stringify(answer)}\n`);
const first = await visit(STAY);
say({ ...first, versions: { Chromium: context.browser()?.version() ?? "" } });
for await (const _ of createInterface({ input: process.stdin })) say(await visit());
await context.close();
server.close();
process.exit(0);
