/** From where a bundle lies to a model: chooses where files come from, the engine, and the family. */
import { type Bundle, manifestText, openBundle } from "./bundle/bundle.js";
import { readManifest } from "./bundle/sealed.js";
import { SatchelError, shown } from "./errors.js";
import { openerFor } from "./families.js";
import type { AnyModel } from "./models.js";
import type { Engine } from "./session/session.js";
import { wasmEngine } from "./session/wasm.js";
import { ChosenFiles, HandleFolder } from "./store/files.js";
import { HttpFolder } from "./store/http.js";
import { opfsKeeper } from "./store/keep.js";
import type { Source } from "./store/source.js";
import { ZipSource } from "./store/zip.js";

/**
 * An address or, in Node, a path of a folder or a zip archive; a zip archive; a folder of the File System Access API;
 * or files that were chosen.
 */
export type Where = string | URL | Blob | FileSystemDirectoryHandle | readonly File[];

export interface LoadOptions {
  /** Threads to compute with. In a browser more than one needs a page that is isolated from others. */
  readonly threads?: number | undefined;
  /** "node" is onnxruntime-node, the default where it is installed; "wasm" runs everywhere. */
  readonly engine?: "node" | "wasm" | undefined;
  /** Where the files of onnxruntime-web lie: in Node its package, in a browser beside this module by default. */
  readonly wasmFolder?: string | URL | undefined;
  /** Whether the browser keeps what was fetched; true by default. */
  readonly keep?: boolean | undefined;
  /** Told how many bytes of all files are there, and which file comes. */
  readonly onProgress?: ((loaded: number, total: number, file: string) => void) | undefined;
  /** Told what goes on although something is not as it should be. */
  readonly onWarning?: ((message: string) => void) | undefined;
  readonly signal?: AbortSignal | undefined;
}

// By names in variables, so that what bundles this for a browser leaves these files, and Node's modules, out.
const NODE_ENGINE = "./session/node.js";
const NODE_FOLDER = "./store/node-folder.js";

const inNode = globalThis.process?.versions?.node !== undefined;

/**
 * Opens a bundle, checks every file against its manifest, and makes it ready to run. Raises BUNDLE and its like with
 * the file and what is wrong with it. Nothing but the files at `where` is fetched.
 */
export async function load(where: Where, options: LoadOptions = {}): Promise<AnyModel> {
  // The engine starts while the files come.
  const starting = engineFor(options);
  try {
    const bundle = await open(where, options);
    const opener = await openerFor(bundle.manifest);
    options.signal?.throwIfAborted();
    const model = await opener(bundle, await starting, options.onWarning ?? (() => undefined));
    options.signal?.throwIfAborted();
    return model;
  } catch (error) {
    await starting.then(
      (engine) => engine.dispose(),
      () => undefined, // it is told where the files are well
    );
    throw error;
  }
}

/** A bundle whose files have been checked, without a model. */
export async function open(where: Where, options: LoadOptions = {}): Promise<Bundle> {
  const { onProgress } = options;
  return openBundle(await sourceOf(where, options), {
    signal: options.signal,
    ...(onProgress !== undefined && {
      onProgress: ({ loaded, total, file }) => onProgress(loaded, total, file),
    }),
  });
}

/** Whether all files of the bundle at an address are kept, so that opening it fetches the manifest alone. */
export async function isKept(where: string | URL): Promise<boolean> {
  const keeper = await opfsKeeper();
  if (keeper === null) {
    return false;
  }
  const source = new HttpFolder(new URL(where, globalThis.location?.href));
  const manifest = await readManifest(await manifestText(source));
  const files = await Promise.all(Object.values(manifest.files).map((file) => keeper.get(file)));
  return files.every((file) => file !== null);
}

async function sourceOf(where: Where, options: LoadOptions): Promise<Source> {
  if (where instanceof Blob) {
    return new ZipSource(where);
  }
  if (Array.isArray(where)) {
    return new ChosenFiles(where as File[]);
  }
  if (typeof where === "object" && "getFileHandle" in where) {
    return new HandleFolder(where);
  }
  const url = addressOf(where as string | URL);
  if (url === null || url.protocol === "file:") {
    return localSource(where as string | URL);
  }
  if (url.protocol !== "http:" && url.protocol !== "https:") {
    throw SatchelError.usage(`${shown(url.href)} is no address that a bundle can be fetched from`);
  }
  const keeper = options.keep === false || inNode ? null : await opfsKeeper();
  return new HttpFolder(url, { keeper, onWarning: options.onWarning });
}

/** An address; null for what is a path in Node. */
function addressOf(where: string | URL): URL | null {
  if (where instanceof URL) {
    return where;
  }
  if (typeof where !== "string") {
    throw SatchelError.usage("a bundle is an address, a path, a zip archive or a folder");
  }
  if (inNode && !/^(https?|file):/.test(where)) {
    return null;
  }
  try {
    return new URL(where, globalThis.location?.href);
  } catch {
    throw SatchelError.usage(`${shown(where)} is no address`);
  }
}

/** A folder or an archive of this machine. */
async function localSource(where: string | URL): Promise<Source> {
  if (!inNode) {
    throw SatchelError.usage(`${shown(String(where))}: a browser opens no files by their path`);
  }
  const { localBundle } = (await import(NODE_FOLDER)) as typeof import("./store/node-folder.js");
  return localBundle(where);
}

async function engineFor(options: LoadOptions): Promise<Engine> {
  const { threads, wasmFolder, engine } = options;
  const some = { ...(threads !== undefined && { threads }) };
  if (engine === "node" || (engine === undefined && inNode)) {
    try {
      const { nodeEngine } = (await import(NODE_ENGINE)) as typeof import("./session/node.js");
      return await nodeEngine(some);
    } catch (error) {
      const absent = error instanceof SatchelError && error.code === "UNSUPPORTED";
      if (engine === "node" || !absent) {
        throw error;
      }
    }
  }
  return wasmEngine({ ...some, ...(wasmFolder !== undefined && { folder: wasmFolder }) });
}
