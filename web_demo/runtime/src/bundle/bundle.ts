/** A bundle whose files have been checked against its manifest: the contract between export and runtime. */
import { SatchelError, shown } from "../errors.js";
import type { Engine, Graph, Pieces, Signature, Weights } from "../session/session.js";
import { type Asked, hashOf, type Progress, type Source, type Stored } from "../store/source.js";
import { shownTree } from "./kinds.js";
import { type FileEntry, MANIFEST, type Manifest, type Port, readsText } from "./manifest.js";
import { readManifest } from "./sealed.js";

export const TOKENIZER = "tokenizer.json";
/** How the names of files of weights end. */
const WEIGHTS = ".data";
const MANIFEST_LIMIT = 1 << 20;
const FILE_NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;

export interface OpenOptions {
  onProgress?: ((progress: Progress) => void) | undefined;
  signal?: AbortSignal | undefined;
}

export class Bundle {
  private readonly weights = new Map<string, Pieces>();

  constructor(
    readonly manifest: Manifest,
    private readonly files: ReadonlyMap<string, Stored>,
  ) {}

  /** Bytes of all listed files. */
  get size(): number {
    return [...this.files.values()].reduce((sum, file) => sum + file.size, 0);
  }

  /** A listed file. */
  file(name: string): Stored {
    const file = this.files.get(name);
    if (file === undefined) {
      throw SatchelError.bundle(`${MANIFEST}: ${shown(name)} is not listed`);
    }
    return file;
  }

  /** The content of tokenizer.json. */
  async tokenizer(): Promise<string> {
    const bytes = await this.file(TOKENIZER).bytes();
    try {
      return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    } catch {
      throw SatchelError.bundle(`${TOKENIZER} is not UTF-8`, "TOKENIZER_INVALID");
    }
  }

  /** The graph of a role, its inputs and outputs checked against the manifest. */
  async graph(engine: Engine, role: string): Promise<Graph> {
    const { manifest } = this;
    checkVersion(manifest.onnxruntime, engine);
    const entry = manifest.graphs[role];
    if (entry === undefined) {
      const roles = Object.keys(manifest.graphs).join(", ");
      throw SatchelError.bundle(`the bundle has no ${role} graph; it has ${roles}`);
    }
    const stored = this.file(entry.file);
    const graph =
      engine.opensPaths === true && stored.path !== undefined
        ? await engine.open(stored.path, [], entry.file)
        : await engine.open(await stored.bytes(), await this.allWeights(), entry.file);
    try {
      checkSignature("input", entry.file, entry.inputs, graph.signature.inputs);
      checkSignature("output", entry.file, entry.outputs, graph.signature.outputs);
    } catch (error) {
      graph.dispose();
      throw error;
    }
    return graph;
  }

  /** Forgets weights in memory, when the last graph was opened. */
  release(): void {
    this.weights.clear();
  }

  private async allWeights(): Promise<Weights[]> {
    const all: Weights[] = [];
    for (const [name, stored] of this.files) {
      if (name.endsWith(WEIGHTS)) {
        const data = this.weights.get(name) ?? stored.pieces?.() ?? (await stored.bytes());
        this.weights.set(name, data);
        all.push({ name, data });
      }
    }
    return all;
  }
}

/**
 * Reads the manifest, fetches every listed file and checks its name, size and sha256. Raises BUNDLE, BUNDLE_VERSION,
 * BUNDLE_PATH, BUNDLE_FILE, BUNDLE_HASH or BUNDLE_IO with the file or field and what is wrong with it.
 */
export async function openBundle(source: Source, options: OpenOptions = {}): Promise<Bundle> {
  const { signal } = options;
  const manifest = await readManifest(await manifestText(source, options));
  const names = Object.keys(manifest.files);
  for (const name of names) {
    if (!FILE_NAME.test(name)) {
      throw SatchelError.bundle(`${MANIFEST} lists ${shown(name)}, which is not a plain name`, "BUNDLE_PATH");
    }
  }
  checkComplete(manifest);
  const total = names.reduce((sum, name) => sum + manifest.files[name]!.size, 0);
  const files = new Map<string, Stored>();
  let before = 0;
  for (const name of names) {
    const expected = manifest.files[name]!;
    let came = 0;
    const told = () => options.onProgress?.({ file: name, loaded: Math.min(before + came, total), total });
    const onBytes = (count: number) => {
      came += count;
      told();
    };
    signal?.throwIfAborted();
    files.set(name, await checkedFile(source, name, expected, { signal, onBytes }));
    came = expected.size;
    told();
    before += expected.size;
  }
  return new Bundle(manifest, files);
}

/** The text of a bundle's manifest, whatever it says. */
export async function manifestText(source: Source, { signal }: OpenOptions = {}): Promise<string> {
  const file = await source.file(MANIFEST, { most: MANIFEST_LIMIT + 1, signal });
  if (file === null) {
    const what = (await source.exists()) ? `has no ${MANIFEST}` : "does not exist";
    throw SatchelError.bundle(`${shown(source.name)} ${what}; expected a bundle made by satchel export`);
  }
  const bytes = await file.bytes();
  if (bytes.length > MANIFEST_LIMIT) {
    throw SatchelError.bundle(`${MANIFEST} is too large: at most ${MANIFEST_LIMIT} bytes are read`);
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw SatchelError.bundle(`${MANIFEST} is not UTF-8`);
  }
}

/** It lists what it needs to run. */
function checkComplete(manifest: Manifest): void {
  const needed = Object.entries(manifest.graphs).map(([role, graph]) => [`graph ${shown(role)}`, graph.file]);
  if (readsText(manifest)) {
    needed.push(["the tokenizer", TOKENIZER]);
  }
  for (const [what, name] of needed) {
    if (!((name as string) in manifest.files)) {
      throw SatchelError.bundle(`${MANIFEST}: ${what} is ${shown(name)}, which is not listed`);
    }
  }
}

async function checkedFile(source: Source, name: string, expected: FileEntry, asked: Asked): Promise<Stored> {
  const file = await source.file(name, { ...asked, expected });
  if (file === null) {
    throw SatchelError.bundle(`${name} is missing from ${shown(source.name)}`, "BUNDLE_FILE");
  }
  if (file.size !== expected.size) {
    throw SatchelError.bundle(
      `${name} has ${file.size} bytes, ${MANIFEST} says ${expected.size}${await hint(file)}; export or download ` +
        "the bundle again",
      "BUNDLE_HASH",
    );
  }
  const sha256 = await hashOf(file, asked.signal);
  if (sha256 !== expected.sha256) {
    throw SatchelError.bundle(
      `${name} does not match ${MANIFEST} (its sha256 is ${sha256}, expected ${shown(expected.sha256, 70)}); ` +
        "export or download the bundle again",
      "BUNDLE_HASH",
    );
  }
  return file;
}

/** Why a file may have another size. */
async function hint(file: Stored): Promise<string> {
  for await (const piece of file.stream()) {
    const start = String.fromCharCode(...piece.subarray(0, 64));
    const words = start.trimStart().toLowerCase();
    if (words.startsWith("version https://git-lfs")) {
      return " (it is a Git LFS pointer: run git lfs pull)";
    }
    return /^<(!doctype|html)/.test(words) ? " (it is a web page)" : "";
  }
  return "";
}

function checkVersion(needed: string, engine: Engine): void {
  const numbers = (version: string) => version.split(".").slice(0, 2).map(Number) as [number, number];
  const [major, minor] = numbers(needed);
  const [ours, second] = numbers(engine.version);
  if (ours < major || (ours === major && second < minor)) {
    throw SatchelError.bundle(
      `the bundle needs onnxruntime ${shown(needed)}, this is ${engine.name} ${engine.version}: update it`,
      "ORT_TOO_OLD",
    );
  }
}

/** The file's inputs and outputs must be those the manifest promises. */
function checkSignature(label: string, file: string, promised: Port[], ports: readonly Signature[]): void {
  const actual = new Map(ports.map((port) => [port.name, port]));
  for (const port of promised) {
    const other = actual.get(port.name);
    actual.delete(port.name);
    if (other === undefined) {
      throw SatchelError.bundle(`${file} has no ${label} ${shown(port.name)}`, "BUNDLE_IO");
    }
    const sizes = port.axes.map((axis) => (typeof axis === "number" ? axis : null));
    const fits =
      sizes.length === other.axes.length && sizes.every((size, index) => size === other.axes[index]);
    if (other.dtype !== port.dtype || !fits) {
      throw SatchelError.bundle(
        `${file}: ${label} ${shown(port.name)} is ${other.dtype} ${shownTree([...other.axes])}, the manifest says ` +
          `${shown(port.dtype)} ${shownTree(port.axes)}`,
        "BUNDLE_IO",
      );
    }
  }
  const [more] = actual.keys();
  if (more !== undefined) {
    throw SatchelError.bundle(`${file} has an ${label} ${shown(more)} that the manifest lacks`, "BUNDLE_IO");
  }
}
