/** One's own lines, by meaning. */

import type { AnyModel, EncoderModel } from "satchel-web";
import { byId, make, saying, settled } from "./dom.js";
import { LINES } from "./lines.js";

const SHOWN = 8;

export class Search {
  private model: EncoderModel | null = null;
  private vectors = new Map<string, Float32Array>();
  private turn = 0;
  private readonly query = byId<HTMLInputElement>("query");
  private readonly lines = byId<HTMLTextAreaElement>("lines");
  private readonly found = byId("found");
  private readonly stats = byId("search-stats");

  constructor() {
    this.lines.value = LINES.join("\n");
    this.query.addEventListener(
      "input",
      settled(150, () => void this.look()),
    );
    this.lines.addEventListener(
      "input",
      settled(600, () => void this.look()),
    );
    byId("search-form").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.look();
    });
  }

  ready(model: AnyModel): void {
    if (this.model !== model) this.vectors.clear();
    this.model = model as EncoderModel;
    void this.look();
  }

  /** Embeds the lines that are new, then the query, and shows what is nearest. */
  private async look(): Promise<void> {
    const { model } = this;
    const turn = ++this.turn;
    const query = this.query.value.trim();
    const lines = [
      ...new Set(
        this.lines.value
          .split("\n")
          .map((line) => line.trim())
          .filter(Boolean),
      ),
    ];
    if (!model || !query || !lines.length) {
      this.found.replaceChildren();
      return;
    }
    try {
      const fresh = lines.filter((line) => !this.vectors.has(line));
      if (fresh.length) {
        this.stats.textContent = `Embedding ${fresh.length} lines…`;
        const vectors = await model.embed(fresh, { prompt: "document" });
        for (const [index, line] of fresh.entries()) this.vectors.set(line, vectors[index] as Float32Array);
      }
      const began = performance.now();
      const [asked] = await model.embed([query], { prompt: "query" });
      const took = performance.now() - began;
      if (turn !== this.turn || !asked) return;
      const scored = lines
        .map((line) => ({ line, score: dot(asked, this.vectors.get(line) as Float32Array) }))
        .sort((a, b) => b.score - a.score)
        .slice(0, SHOWN);
      this.stats.textContent = `${lines.length} lines, the query embedded in ${took.toFixed(0)} ms`;
      this.found.replaceChildren(...scored.map(({ line, score }) => row(line, score)));
    } catch (error) {
      if (turn === this.turn) this.stats.textContent = saying(error);
    }
  }
}

/** Vectors have unit length, so this is the cosine. */
function dot(a: Float32Array, b: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i++) sum += (a[i] ?? 0) * (b[i] ?? 0);
  return sum;
}

function row(line: string, score: number): HTMLLIElement {
  const near = make("meter", {
    min: "0",
    max: "1",
    value: String(Math.max(0, score)),
    "aria-hidden": "true",
  });
  return make("li", {}, line, make("span", { class: "score" }, score.toFixed(3)), near);
}
