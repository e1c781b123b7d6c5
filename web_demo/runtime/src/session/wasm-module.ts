/**
 * The WebAssembly module of onnxruntime-web, below its JavaScript interface: found, started, and its C interface
 * given types. That interface copies every tensor into the module's memory and back, and does not write outputs
 * in place; this does neither.
 */
import { SatchelError, wordsOf } from "../errors.js";
import type { Pieces } from "./session.js";
import { watchingWorkers } from "./workers.js";

/** The release whose interface this is. */
export const VERSION = "1.30.0";

const NAME = "ort-wasm-simd-threaded";

/** Pointers and handles are numbers, 0 is none; a status other than 0 is an error. */
export interface Module {
  readonly HEAPU8: Uint8Array;
  readonly PTR_SIZE: number;
  _malloc(size: number): number;
  _free(pointer: number): void;
  stackSave(): number;
  stackRestore(stack: number): void;
  stackAlloc(size: number): number;
  getValue(pointer: number, type: string): number;
  setValue(pointer: number, value: number, type: string): void;
  UTF8ToString(pointer: number, most?: number): string;
  mountExternalData(name: string, data: Pieces): void;
  unmountExternalData(): void;
  _OrtInit(threads: number, severity: number): number;
  _OrtGetLastError(code: number, message: number): number;
  _OrtCreateSessionOptions(
    optimization: number,
    arena: boolean,
    pattern: boolean,
    parallel: number,
    profiling: boolean,
    prefix: number,
    id: number,
    severity: number,
    verbosity: number,
    optimized: number,
  ): number;
  _OrtAddSessionConfigEntry(options: number, key: number, value: number): number;
  _OrtReleaseSessionOptions(options: number): number;
  _OrtCreateSession(graph: number, size: number, options: number): number;
  _OrtReleaseSession(session: number): number;
  _OrtGetInputOutputCount(session: number, inputs: number, outputs: number): number;
  _OrtGetInputOutputMetadata(session: number, index: number, name: number, about: number): number;
  _OrtFree(pointer: number): number;
  _OrtCreateTensor(
    type: number,
    data: number,
    size: number,
    shape: number,
    rank: number,
    place: number,
  ): number;
  _OrtGetTensorData(tensor: number, type: number, data: number, shape: number, rank: number): number;
  _OrtReleaseTensor(tensor: number): number;
  _OrtCreateRunOptions(severity: number, verbosity: number, terminate: boolean, tag: number): number;
  _OrtReleaseRunOptions(options: number): number;
  _OrtRun(
    session: number,
    inputNames: number,
    inputs: number,
    inputCount: number,
    outputNames: number,
    outputCount: number,
    outputs: number,
    options: number,
  ): number;
  _OrtEndProfiling(session: number): number;
}

const ENTRIES: readonly (keyof Module)[] = [
  ..."HEAPU8 PTR_SIZE _malloc _free stackSave stackRestore stackAlloc getValue setValue UTF8ToString".split(
    " ",
  ),
  ..."mountExternalData unmountExternalData _OrtInit _OrtGetLastError".split(" "),
  ..."_OrtCreateSessionOptions _OrtAddSessionConfigEntry _OrtReleaseSessionOptions".split(" "),
  ..."_OrtCreateSession _OrtReleaseSession _OrtGetInputOutputCount _OrtGetInputOutputMetadata".split(" "),
  ..."_OrtFree _OrtCreateTensor _OrtGetTensorData _OrtReleaseTensor _OrtCreateRunOptions".split(" "),
  ..."_OrtReleaseRunOptions _OrtRun _OrtEndProfiling".split(" "),
] as (keyof Module)[];

type Factory = (config: { numThreads: number; locateFile?: (name: string) => string }) => Promise<Module>;

/** What of the interface a module lacks. */
export function missingFrom(module: object): string[] {
  return ENTRIES.filter((name) => !(name in module));
}

/**
 * Starts a module of its own memory. `folder` is where the two files of onnxruntime-web lie: by default its package
 * in Node, and beside this module in a browser.
 */
export async function startModule(
  threads: number,
  folder?: string | URL,
): Promise<{ module: Module; stop: () => void }> {
  const { made: module, stop } = await watchingWorkers(() => started(threads, folder));
  const missing = missingFrom(module);
  if (missing.length > 0 || module.PTR_SIZE !== 4) {
    throw SatchelError.unsupported(
      `this release of onnxruntime-web lacks ${missing.join(", ") || "32-bit pointers"}; expected ${VERSION}`,
    );
  }
  return { module, stop };
}

async function started(threads: number, folder?: string | URL): Promise<Module> {
  try {
    const inNode = globalThis.process?.versions?.node !== undefined;
    if (folder === undefined && inNode) {
      // A name in a variable, so that what bundles this for a browser leaves it alone.
      const name = `onnxruntime-web/${NAME}.mjs`;
      return await ((await import(name)) as { default: Factory }).default({ numThreads: threads });
    }
    const base = folder === undefined ? new URL("./", import.meta.url) : folderUrl(folder);
    const { default: factory } = (await import(new URL(`${NAME}.mjs`, base).href)) as { default: Factory };
    return await factory({ numThreads: threads, locateFile: (name) => new URL(name, base).href });
  } catch (error) {
    throw SatchelError.storage(`onnxruntime-web did not start: ${wordsOf(error)}`, { cause: error });
  }
}

function folderUrl(folder: string | URL): URL {
  const url = new URL(folder, globalThis.location?.href);
  url.pathname = url.pathname.replace(/\/?$/, "/");
  return url;
}
