/** What is in a bundle, what is kept in this browser, and opening one's own. */

import { type AnyModel, forget, kept, type Manifest } from "satchel-web";
import { byId, make, readableBytes, saying } from "./dom.js";
import { type Entry, entries, give, type Opening, profileNote } from "./shelf.js";

export class Bundles {
  private readonly which = byId<HTMLSelectElement>("which");
  private readonly about = byId("about");
  private readonly zip = byId<HTMLInputElement>("zip");
  private opening: Opening | null = null;

  constructor() {
    this.which.addEventListener("change", () => void this.choose());
    byId("forget").addEventListener("click", () => void this.forget());
    byId("pick-zip").addEventListener("click", () => this.zip.click());
    this.zip.addEventListener("change", () => this.take(this.zip.files?.[0]));
    const folder = byId("pick-folder");
    if ("showDirectoryPicker" in window) folder.addEventListener("click", () => void this.pickFolder());
    else folder.hidden = true; // a browser without the File System Access API
    this.listenToDrops();
  }

  use(opening: Opening): void {
    this.opening = opening;
  }

  /** Called each time the tab is shown. */
  async show(): Promise<void> {
    await fill(this.which);
    await this.sayKept();
    await this.choose();
  }

  ready(model: AnyModel): void {
    this.about.replaceChildren(...describe(model.manifest));
    void this.sayKept();
  }

  private async choose(): Promise<void> {
    this.about.replaceChildren();
    const entry = (await entries()).find(({ name }) => name === this.which.value);
    await this.opening?.show(entry, "No bundle is served here. Open a zip or a folder.");
  }

  private async take(file: File | undefined): Promise<void> {
    if (!file) return;
    await this.open({ name: file.name, where: file, bytes: file.size, task: "", unasked: true });
  }

  private async pickFolder(): Promise<void> {
    try {
      const { showDirectoryPicker } = window as unknown as {
        showDirectoryPicker: () => Promise<FileSystemDirectoryHandle>;
      };
      const folder = await showDirectoryPicker();
      await this.open({ name: folder.name, where: folder, bytes: 0, task: "", unasked: true });
    } catch (error) {
      if ((error as Error).name !== "AbortError") byId("kept").textContent = saying(error);
    }
  }

  private async open(entry: Entry): Promise<void> {
    give(entry);
    byId("tab-bundles").click();
    await fill(this.which);
    this.which.value = entry.name;
    await this.choose();
  }

  private listenToDrops(): void {
    const holdsFiles = (event: DragEvent): boolean => event.dataTransfer?.types.includes("Files") ?? false;
    window.addEventListener("dragover", (event) => {
      if (!holdsFiles(event)) return;
      event.preventDefault();
      document.body.classList.add("dragged");
    });
    window.addEventListener("dragleave", () => document.body.classList.remove("dragged"));
    window.addEventListener("drop", (event) => {
      document.body.classList.remove("dragged");
      if (!holdsFiles(event)) return;
      event.preventDefault();
      void this.take(event.dataTransfer?.files[0]);
    });
  }

  private async sayKept(): Promise<void> {
    const all = await kept();
    const bytes = all.reduce((sum, each) => sum + each.bytes, 0);
    byId("kept").textContent = all.length ? `${all.length} files, ${readableBytes(bytes)}` : "nothing";
    byId<HTMLButtonElement>("forget").disabled = !all.length;
  }

  private async forget(): Promise<void> {
    await forget();
    await this.sayKept();
  }
}

/** The names of all bundles in a list; what was chosen stays chosen. */
export async function fill(list: HTMLSelectElement): Promise<void> {
  const chosen = list.value;
  const names = (await entries()).map(({ name }) => name);
  list.replaceChildren(...names.map((name) => make("option", { value: name }, name)));
  if (names.includes(chosen)) list.value = chosen;
}

function describe(manifest: Manifest): Node[] {
  const { source, quantization, quality, files } = manifest;
  const checked = (manifest.parity.checks ?? []) as { name: string; value: number; limit: number }[];
  const facts: [string, string][] = [
    ["Task", manifest.task],
    ["Architecture", `${manifest.architecture} (${manifest.family})`],
    ["Checkpoint", source.name],
    ["Licence", source.licence ?? "not said"],
    ["Profile", String(quantization.name)],
    ["Positions, vocabulary", `${manifest.context}, ${manifest.vocab_size}`],
    ["Size", readableBytes(Object.values(files).reduce((sum, { size }) => sum + size, 0))],
    ["Checks at export", manifest.verified ? "passed" : "failed, and it was kept by force"],
    ["Asks for ONNX Runtime", `${manifest.onnxruntime} or later`],
  ];
  const note = profileNote(manifest);
  const measured = Object.entries(quality ?? {}).map(([name, value]): [string, string] => [
    name,
    shown(value),
  ]);
  const checks = checked.map(({ name, value, limit }): [string, string] => [
    name,
    `${shown(value)} (limit ${shown(limit)})`,
  ]);
  const sums = Object.entries(files).map(([name, { size, sha256 }]): [string, Node] => [
    `${name}, ${readableBytes(size)}`,
    make("code", {}, sha256),
  ]);
  return [
    ...(note ? [make("p", { class: "note" }, note)] : []),
    table("What it is", facts),
    ...(measured.length ? [table("Quality, measured at export", measured)] : []),
    ...(checks.length ? [table("Against the checkpoint", checks)] : []),
    table("Files and their SHA-256, checked when opened", sums),
  ];
}

function shown(value: unknown): string {
  if (typeof value !== "number") return JSON.stringify(value);
  return Number.isInteger(value) ? String(value) : value.toPrecision(5);
}

export function table(
  caption: string,
  rows: readonly (readonly [string, string | Node])[],
): HTMLTableElement {
  const body = make("tbody");
  for (const [name, value] of rows)
    body.append(make("tr", {}, make("th", { scope: "row" }, name), make("td", {}, value)));
  return make("table", {}, make("caption", {}, caption), body);
}
