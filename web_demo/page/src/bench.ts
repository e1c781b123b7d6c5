/** Measures a bundle where it runs: here. */

import type { AnyModel, DecoderModel, EncoderModel, Seq2seqModel } from "satchel-web";
import { fill, table } from "./bundles.js";
import { byId, median, saying } from "./dom.js";
import { LINES } from "./lines.js";
import { plotSteps } from "./plot.js";
import { entries, type Opening } from "./shelf.js";

const NEW_TOKENS = 64;
const ROUNDS = 3;

/** What a run found: its figures by name, and the milliseconds that are drawn. */
interface Measured {
  what: string;
  milliseconds: number[];
  figures: Record<string, number>;
}

export class Bench {
  private opening: Opening | null = null;
  private running: AbortController | null = null;
  private model: AnyModel | null = null;
  private report = "";
  private readonly which = byId<HTMLSelectElement>("bench-which");
  private readonly run = byId<HTMLButtonElement>("run");
  private readonly stop = byId<HTMLButtonElement>("bench-stop");
  private readonly copy = byId<HTMLButtonElement>("copy");
  private readonly stats = byId("bench-stats");

  constructor() {
    this.which.addEventListener("change", () => void this.choose());
    this.run.addEventListener("click", () => void this.measure());
    this.stop.addEventListener("click", () => this.running?.abort());
    this.copy.addEventListener(
      "click",
      () => void navigator.clipboard.writeText(this.report).then(() => this.say("Copied.")),
    );
    this.enable();
  }

  use(opening: Opening): void {
    this.opening = opening;
  }

  async show(): Promise<void> {
    await fill(this.which);
    await this.choose();
  }

  ready(model: AnyModel): void {
    this.model = model;
    this.enable();
  }

  private async choose(): Promise<void> {
    this.model = null;
    this.enable();
    const entry = (await entries()).find(({ name }) => name === this.which.value);
    await this.opening?.show(entry, "No bundle is served here.");
  }

  private enable(): void {
    this.run.disabled = !this.model || this.running !== null;
    this.stop.disabled = this.running === null;
  }

  private say(text: string): void {
    this.stats.textContent = text;
  }

  private async measure(): Promise<void> {
    const { model } = this;
    if (!model || this.running) return;
    const run = new AbortController();
    this.running = run;
    this.enable();
    try {
      this.say("Measuring…");
      this.draw(
        model,
        await (model.manifest.family === "encoder"
          ? embedding(model, run.signal)
          : writing(model, run.signal)),
      );
      this.say("");
    } catch (error) {
      this.say(run.signal.aborted ? "Stopped." : saying(error));
    }
    this.running = null;
    this.enable();
  }

  private draw(model: AnyModel, { what, milliseconds, figures }: Measured): void {
    byId("plot").replaceChildren(plotSteps(milliseconds, what));
    const rows = Object.entries(figures).map(
      ([name, value]) => [name, String(Number(value.toPrecision(4)))] as const,
    );
    const next = table(what, rows);
    next.id = "figures";
    byId("figures").replaceWith(next);
    const { engine, manifest } = model;
    const about = { bundle: this.which.value, task: manifest.task, profile: manifest.quantization.name };
    this.report = JSON.stringify(
      { ...about, engine: engine.name, onnxruntime: engine.version, threads: engine.threads, figures },
      null,
      1,
    );
    this.copy.hidden = false;
  }
}

/** A model that writes: how long the prompt takes and how long each step. */
async function writing(model: AnyModel, signal: AbortSignal): Promise<Measured> {
  const writer = model as DecoderModel | Seq2seqModel;
  const prompt = model.manifest.family === "decoder" ? LINES.join(" ").slice(0, 600) : "hypotenuse";
  const [firsts, steps, rates]: [number[], number[], number[]] = [[], [], []];
  for (let round = 0; round <= ROUNDS; round++) {
    const times = [performance.now()];
    for await (const _ of writer.stream(prompt, { maxNewTokens: NEW_TOKENS, lookup: false, signal })) {
      times.push(performance.now());
    }
    signal.throwIfAborted();
    if (round > 0 && times.length > 2) {
      // The first round warms up. Pieces of a quick model come in bursts: their rate is that of the whole.
      const [began, first, last] = [times[0]!, times[1]!, times.at(-1)!];
      firsts.push(first - began);
      rates.push((last - first) / (times.length - 2));
      steps.push(...times.slice(2).map((time, i) => time - times[i + 1]!));
    }
  }
  const rate = median(rates);
  return {
    what: "Milliseconds for each piece of text",
    milliseconds: steps,
    figures: { "first piece, ms": median(firsts), "a piece, ms": rate, "pieces a second": 1000 / rate },
  };
}

/** A model that embeds: how long each text takes, and many at once. */
async function embedding(model: AnyModel, signal: AbortSignal): Promise<Measured> {
  const encoder = model as EncoderModel;
  const alone: number[] = [];
  await encoder.embed(LINES.slice(0, 2), {});
  for (const line of LINES) {
    const began = performance.now();
    await encoder.embed([line], {});
    alone.push(performance.now() - began);
    signal.throwIfAborted();
  }
  const began = performance.now();
  await encoder.embed([...LINES], {});
  const together = (performance.now() - began) / LINES.length;
  return {
    what: "Milliseconds for each text",
    milliseconds: alone,
    figures: {
      "a text alone, ms": median(alone),
      "a text among many, ms": together,
      "texts a second": 1000 / together,
    },
  };
}
