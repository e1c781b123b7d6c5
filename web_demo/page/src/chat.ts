/** A conversation with a decoder. */

import type { AnyModel, DecoderModel, GenerateOptions, Message } from "satchel-web";
import { byId, make, saying } from "./dom.js";

export class Chat {
  private model: DecoderModel | null = null;
  private messages: Message[] = [];
  private running: AbortController | null = null;
  private readonly log = byId("log");
  private readonly message = byId<HTMLTextAreaElement>("message");
  private readonly send = byId<HTMLButtonElement>("send");
  private readonly stop = byId<HTMLButtonElement>("stop");
  private readonly stats = byId("chat-stats");

  constructor() {
    byId("chat-form").addEventListener("submit", (event) => {
      event.preventDefault();
      void this.answer();
    });
    this.message.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      void this.answer();
    });
    this.stop.addEventListener("click", () => this.running?.abort());
    byId("anew").addEventListener("click", () => this.anew());
    this.enable();
  }

  ready(model: AnyModel): void {
    this.model = model as DecoderModel;
    this.enable();
  }

  private anew(): void {
    this.running?.abort();
    this.messages = [];
    this.log.replaceChildren();
    this.stats.textContent = "";
    this.message.focus();
  }

  private enable(): void {
    this.send.disabled = !this.model || this.running !== null;
    this.stop.disabled = this.running === null;
  }

  private async answer(): Promise<void> {
    const { model } = this;
    const content = this.message.value.trim();
    if (!model || this.running || !content) return;
    const run = new AbortController();
    const messages: Message[] = [...this.messages, { role: "user", content }];
    this.running = run;
    this.enable();
    this.message.value = "";
    this.add("mine", content);
    const its = this.add("its", "");
    its.classList.add("writing");

    const began = performance.now();
    let [text, first, pieces] = ["", 0, 0];
    try {
      for await (const piece of model.streamChat(messages, { ...this.options(), signal: run.signal })) {
        first ||= performance.now() - began;
        pieces += 1;
        text += piece;
        this.show(its, text);
      }
    } catch (error) {
      if (!run.signal.aborted) this.stats.textContent = saying(error);
    }
    its.classList.remove("writing");
    if (this.running === run) this.running = null;
    this.enable();
    if (!this.log.contains(its)) return; // a new conversation began meanwhile
    if (!text) its.remove();
    this.messages = [...messages, { role: "assistant", content: text }];
    const rest = (performance.now() - began - first) / 1000;
    if (pieces > 1) {
      this.stats.textContent = `first word after ${(first / 1000).toFixed(2)} s, then ${((pieces - 1) / rest).toFixed(1)} pieces a second`;
    }
  }

  private options(): GenerateOptions {
    // An empty field is no number: the model's own default holds.
    const number = (id: string): number | undefined => {
      const { valueAsNumber } = byId<HTMLInputElement>(id);
      return Number.isNaN(valueAsNumber) ? undefined : valueAsNumber;
    };
    const [temperature, maxNewTokens] = [number("temperature"), number("longest")];
    // Greedy takes the likeliest token each time: what bounds a choice has nothing to bound.
    const sampling = temperature === 0 ? {} : { topP: number("top-p"), seed: number("seed") };
    return { temperature, maxNewTokens, ...sampling };
  }

  private add(whose: "mine" | "its", text: string): HTMLElement {
    const said = make("p", { class: whose }, text);
    said.setAttribute("aria-label", whose === "mine" ? "You" : "The model");
    this.log.append(said);
    this.log.scrollTop = this.log.scrollHeight;
    return said;
  }

  /** New text, and the end of it in sight where the end was in sight before. */
  private show(its: HTMLElement, text: string): void {
    const atEnd = this.log.scrollHeight - this.log.scrollTop - this.log.clientHeight < 40;
    its.textContent = text;
    if (atEnd) this.log.scrollTop = this.log.scrollHeight;
  }
}
