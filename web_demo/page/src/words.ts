/** Words to phonemes, while one types. */

import type { AnyModel, Seq2seqModel } from "satchel-web";
import { byId, make, saying, settled } from "./dom.js";

const READINGS = 4;

export class Words {
  private model: Seq2seqModel | null = null;
  private running: AbortController | null = null;
  private readonly word = byId<HTMLInputElement>("word");
  private readonly phonemes = byId("phonemes");
  private readonly readings = byId("readings");
  private readonly stats = byId("words-stats");

  constructor() {
    const soon = settled(120, () => void this.say());
    this.word.addEventListener("input", soon);
    byId("words-form").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.say();
    });
  }

  ready(model: AnyModel): void {
    this.model = model as Seq2seqModel;
    void this.say();
  }

  /** Spells the word that stands there now; a word typed meanwhile cancels it. */
  private async say(): Promise<void> {
    const { model } = this;
    const word = this.word.value.trim();
    this.running?.abort();
    if (!model) return;
    const run = new AbortController();
    this.running = run;
    this.phonemes.textContent = "";
    this.readings.replaceChildren();
    this.stats.textContent = "";
    if (!word) return;
    try {
      const began = performance.now();
      let first = 0;
      for await (const piece of model.stream(word, { signal: run.signal })) {
        if (run.signal.aborted) return;
        first ||= performance.now() - began;
        this.phonemes.textContent += piece;
      }
      if (run.signal.aborted) return;
      const took = performance.now() - began;
      this.stats.textContent = `first phoneme after ${first.toFixed(0)} ms, the word in ${took.toFixed(0)} ms`;
      const best = await model.generate(word, { numBeams: READINGS, nBest: READINGS, signal: run.signal });
      if (run.signal.aborted) return;
      this.readings.replaceChildren(
        ...best.map(({ text, score }) =>
          make("li", {}, text, make("span", { class: "score" }, (score ?? 0).toFixed(2))),
        ),
      );
    } catch (error) {
      if (!run.signal.aborted) this.stats.textContent = saying(error);
    }
  }
}
