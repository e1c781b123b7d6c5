/** A worker of a browser that puts cases to bundles: {name, address, wasmFolder} in, {counts, told} or {skipped} out. */
import { SatchelError, wordsOf } from "../../src/errors.js";
import { load } from "../../src/load.js";
import { type CaseFile, conform } from "./cases.js";

/** What a step of int8 that is rounded elsewhere may make of numbers; see docs/conformance.md. */
const ROUNDED = 0.05;

async function ofFolder(address: string, wasmFolder: string, told: (line: string) => void) {
  const [file, tokenizer] = await Promise.all([
    fetch(`${address}cases.json`).then((answer) => answer.json() as Promise<CaseFile>),
    fetch(`${address}bundle/tokenizer.json`).then((answer) => answer.text()), // "404" is read by no case of images
  ]);
  // One thread, as in Python: int8 sums differ in their last bits with one and with several.
  const model = await load(`${address}bundle/`, { threads: 1, wasmFolder, keep: false });
  try {
    const least = model.manifest.quantization.name === "fp32" ? 0 : ROUNDED;
    return await conform(model, () => tokenizer, file, told, least);
  } finally {
    await model.close();
  }
}

addEventListener("message", async ({ data }: MessageEvent<{ address: string; wasmFolder: string }>) => {
  const told: string[] = [];
  try {
    const counts = await ofFolder(data.address, data.wasmFolder, (line) => told.push(line));
    postMessage({ counts, told });
  } catch (error) {
    const later = error instanceof SatchelError && error.message.includes("do not run here yet");
    postMessage(later ? { skipped: error.message } : { failed: wordsOf(error) });
  }
});
