/** Which bundles there are and which one is open. A tab of a phone has memory for one, so opening closes the last. */

import { type AnyModel, isKept, loadInWorker, type Manifest, ONNXRUNTIME_WEB } from "satchel-web";
import { byId, make, readableBytes, saying } from "./dom.js";

/** A bundle that the server has, or that a person gave. */
export interface Entry {
  name: string;
  /** What `load` takes: an address, a folder, a zip. */
  where: string | FileSystemDirectoryHandle | Blob;
  bytes: number;
  task: string;
  /** Whether it may be fetched and opened unasked. */
  unasked: boolean;
}

const SMALL = 8_000_000;
const WASM_FOLDER = `ort-${ONNXRUNTIME_WEB}/`;

let known: Promise<Entry[]> | null = null;
const given: Entry[] = [];
let open: { entry: Entry; model: AnyModel } | null = null;
let busy: Promise<unknown> = Promise.resolve();

/** The server's list, and what a person has opened by hand. */
export async function entries(): Promise<Entry[]> {
  known ??= list();
  return [...(await known), ...given];
}

/** A bundle that came as a zip or a folder. */
export function give(entry: Entry): void {
  given.push(entry);
}

async function list(): Promise<Entry[]> {
  const answer = await fetch("bundles/index.json");
  if (!answer.ok) throw new Error(`bundles/index.json: the server answers ${answer.status}`);
  const found = (await answer.json()) as { name: string; bytes: number; task: string }[];
  return found.map((each) => ({
    ...each,
    where: new URL(`bundles/${each.name}/`, location.href).href,
    unasked: each.bytes < SMALL,
  }));
}

/** The open model of this entry, or null where another or none is open. */
export function opened(entry: Entry | undefined): AnyModel | null {
  return open !== null && open.entry === entry ? open.model : null;
}

/**
 * A place on the page that opens a bundle: says how large it is and asks, shows progress, says what went wrong.
 * `ready` is called each time a model is there.
 */
export class Opening {
  private entry: Entry | undefined;
  private stop: AbortController | null = null;

  constructor(
    private readonly place: HTMLElement,
    private readonly ready: (model: AnyModel) => void,
  ) {}

  /** Shows this entry: opened at once where it is small or kept already, else after a click. */
  async show(entry: Entry | undefined, missing: string): Promise<void> {
    this.entry = entry;
    if (!entry) {
      this.say(make("p", {}, missing));
      return;
    }
    const model = opened(entry);
    if (model) {
      this.say();
      this.ready(model);
    } else if (entry.unasked || (typeof entry.where === "string" && (await isKept(entry.where)))) {
      await this.open();
    } else {
      this.ask(entry);
    }
  }

  private ask(entry: Entry): void {
    const button = make("button", { type: "button", class: "main" }, `Open (${readableBytes(entry.bytes)})`);
    button.addEventListener("click", () => void this.open());
    this.say(make("p", {}, "It is fetched once and kept in this browser."), button);
  }

  private async open(): Promise<void> {
    const entry = this.entry;
    if (!entry || this.stop) return;
    const stop = new AbortController();
    this.stop = stop;
    const words = make("p", { role: "status" }, "Opening…");
    const bar = make("progress", { max: "1", "aria-label": "Opening the bundle" });
    const cancel = make("button", { type: "button" }, "Cancel");
    cancel.addEventListener("click", () => stop.abort());
    // What opens in the blink of an eye shows no bar.
    const late = setTimeout(() => this.say(words, bar, cancel), 150);
    try {
      const model = await exchange(entry, stop.signal, (done, all) => {
        bar.max = all;
        bar.value = done;
        words.textContent = done < all ? `${readableBytes(done)} of ${readableBytes(all)}` : "Preparing…";
      });
      clearTimeout(late);
      if (this.entry !== entry) return;
      this.say();
      this.ready(model);
    } catch (error) {
      clearTimeout(late);
      if (stop.signal.aborted) this.ask(entry);
      else this.wrong(saying(error));
    } finally {
      this.stop = null;
    }
  }

  private wrong(message: string): void {
    const again = make("button", { type: "button" }, "Try again");
    again.addEventListener("click", () => void this.open());
    this.say(make("p", { class: "wrong", role: "alert" }, message), again);
  }

  private say(...what: Node[]): void {
    this.place.replaceChildren(...what);
  }
}

/** Closes what is open and opens another; one after the other, however fast a person changes tabs. */
function exchange(
  entry: Entry,
  signal: AbortSignal,
  onProgress: (done: number, all: number) => void,
): Promise<AnyModel> {
  const next = busy.then(async () => {
    const there = opened(entry);
    if (there) return there;
    const last = open;
    open = null;
    await last?.model.close();
    const warnings: string[] = [];
    const onWarning = (message: string) => warnings.push(message);
    const options = { worker: "worker.js", wasmFolder: WASM_FOLDER, signal, onProgress, onWarning };
    const model = await loadInWorker(entry.where, options);
    open = { entry, model };
    sayMachine(model);
    // Files fail alike: the first says why.
    byId("warned").textContent = warnings[0] ?? "";
    return model;
  });
  busy = next.catch(() => undefined);
  return next;
}

function sayMachine(model: AnyModel): void {
  const { engine } = model;
  const threads = engine.threads === 1 ? "one thread" : `${engine.threads} threads`;
  byId("machine").textContent = `ONNX Runtime ${engine.version} on ${engine.name}, ${threads}.`;
}

/** What a person should know who loads a bundle here whose products WebAssembly is slow at. */
export function profileNote({ quantization }: Manifest): string {
  const graphs = (quantization.graphs ?? {}) as Record<string, { kind?: string }>;
  const slow = Object.values(graphs).some(({ kind }) => kind?.startsWith("blocks"));
  return slow
    ? "Weights in blocks are for laptops and phones: in a browser a bundle made with --profile int8-portable writes several times as fast."
    : "";
}
