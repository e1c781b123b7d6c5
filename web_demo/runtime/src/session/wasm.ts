/** Graphs run by the WebAssembly module of onnxruntime-web, in a browser or in Node. */
import { SatchelError } from "../errors.js";
import { breath } from "./breath.js";
import { failure, noSuchPort } from "./failure.js";
import type { DType, Engine, Graph, Signature, Tensor, TypedArray, Weights } from "./session.js";
import { allocated, axisOf, bytesAt, check, onStack, typeName, WasmTensor } from "./wasm-memory.js";
import { type Module, startModule, VERSION } from "./wasm-module.js";

const ALL_OPTIMIZATIONS = 99;
const ERRORS_ALONE = 4; // they come as exceptions, not as lines beside ours

export interface WasmOptions {
  /** At most the machine's; more than 1 needs a page that is isolated from others (COOP and COEP). */
  threads?: number;
  /** Where the files of onnxruntime-web lie: in Node its package by default. */
  folder?: string | URL;
  /** Times every node; what `profile` of a graph says then. */
  profiling?: boolean;
}

export async function wasmEngine(options: WasmOptions = {}): Promise<WasmEngine> {
  const threads = threadsOf(options.threads);
  const { module, stop } = await startModule(threads, options.folder);
  check(module, module._OrtInit(threads, options.profiling ? 1 : ERRORS_ALONE), "starting");
  return new WasmEngine(module, threads, options.profiling ?? false, stop);
}

/** As many as asked for, or up to four of the machine's; one where memory cannot be shared. */
function threadsOf(asked: number | undefined): number {
  const cores = globalThis.navigator?.hardwareConcurrency ?? 1;
  const most = Math.max(32, 4 * cores);
  if (asked !== undefined && !(Number.isInteger(asked) && asked >= 1 && asked <= most)) {
    throw SatchelError.usage(`threads = ${asked}; expected 1 to ${most} on this machine`);
  }
  const inNode = globalThis.process?.versions?.node !== undefined;
  const shared = inNode || globalThis.crossOriginIsolated === true;
  return shared ? (asked ?? Math.min(4, Math.ceil(cores / 2))) : 1;
}

export class WasmEngine implements Engine {
  readonly name = "onnxruntime-web";
  readonly version = VERSION;
  private readonly runOptions: number;

  constructor(
    private readonly module: Module,
    readonly threads: number,
    private readonly profiling: boolean,
    private readonly stop: () => void,
  ) {
    this.runOptions = module._OrtCreateRunOptions(ERRORS_ALONE, 0, false, 0);
  }

  tensor(dtype: DType, shape: readonly number[], data?: TypedArray): Tensor {
    return WasmTensor.create(this.module, dtype, shape, data);
  }

  /** Weights are read out of `data` piece by piece, into the memory where they stay. */
  async open(graph: Uint8Array | string, weights: readonly Weights[], name = "a graph"): Promise<WasmGraph> {
    if (typeof graph === "string") {
      throw SatchelError.usage("this engine opens bytes, not paths");
    }
    const { module } = this;
    const options = this.sessionOptions();
    const pointer = allocated(module, graph.byteLength, name);
    bytesAt(module, pointer, graph.byteLength).set(graph);
    for (const file of weights) {
      module.mountExternalData(file.name, file.data);
    }
    try {
      const session = module._OrtCreateSession(pointer, graph.byteLength, options);
      check(module, session === 0 ? 1 : 0, `loading ${name}`);
      return new WasmGraph(module, session, this.runOptions);
    } catch (error) {
      throw failure(error, `loading ${name}`);
    } finally {
      module.unmountExternalData();
      module._free(pointer);
      module._OrtReleaseSessionOptions(options);
    }
  }

  private sessionOptions(): number {
    const severity = this.profiling ? 1 : ERRORS_ALONE;
    const options = this.module._OrtCreateSessionOptions(
      ALL_OPTIMIZATIONS,
      false,
      false,
      0,
      this.profiling,
      0,
      0,
      severity,
      0,
      0,
    );
    check(this.module, options === 0 ? 1 : 0, "making options");
    return options;
  }

  /** Graphs and tensors are to be disposed of before. */
  dispose(): void {
    this.module._OrtReleaseRunOptions(this.runOptions);
    this.stop();
  }
}

class WasmGraph implements Graph {
  readonly signature: { inputs: Signature[]; outputs: Signature[] };
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** Names as ONNX Runtime takes them. */
  private readonly names = new Map<string, number>();
  private session: number;

  constructor(
    private readonly module: Module,
    session: number,
    private readonly runOptions: number,
  ) {
    this.session = session;
    const [inputs, outputs] = onStack(module, () => {
      const place = module.stackAlloc(8);
      check(module, module._OrtGetInputOutputCount(session, place, place + 4), "counting inputs");
      return [module.getValue(place, "*"), module.getValue(place + 4, "*")];
    }) as [number, number];
    const ports = Array.from({ length: inputs + outputs }, (_, index) => this.port(index));
    this.signature = { inputs: ports.slice(0, inputs), outputs: ports.slice(inputs) };
    this.inputs = this.signature.inputs.map((port) => port.name);
    this.outputs = this.signature.outputs.map((port) => port.name);
  }

  private port(index: number): Signature {
    const { module } = this;
    return onStack(module, () => {
      const place = module.stackAlloc(8);
      check(
        module,
        module._OrtGetInputOutputMetadata(this.session, index, place, place + 4),
        "reading inputs",
      );
      const pointer = module.getValue(place, "*");
      const about = module.getValue(place + 4, "*");
      const name = module.UTF8ToString(pointer);
      this.names.set(name, pointer);
      const rank = module.getValue(about + 4, "*");
      const axes = Array.from({ length: rank }, (_, axis) => axisOf(module, about, rank, axis));
      const dtype = typeName(module.getValue(about, "i32"));
      module._OrtFree(about);
      return { name, dtype, axes };
    });
  }

  async run(
    feeds: Record<string, Tensor>,
    outputs: Record<string, Tensor | null>,
  ): Promise<Record<string, Tensor>> {
    if (this.session === 0) {
      throw SatchelError.usage("this graph was disposed of");
    }
    await breath();
    const { module } = this;
    const given = Object.entries(feeds);
    const wanted = Object.entries(outputs);
    try {
      return onStack(module, () => {
        const [inputNames, inputs] = this.placed(given);
        const [outputNames, results] = this.placed(wanted);
        const status = module._OrtRun(
          this.session,
          inputNames,
          inputs,
          given.length,
          outputNames,
          wanted.length,
          results,
          this.runOptions,
        );
        check(module, status, "running");
        return Object.fromEntries(
          wanted.map(([name, tensor], index) => [
            name,
            tensor ?? WasmTensor.made(module, module.getValue(results + 4 * index, "*")),
          ]),
        );
      });
    } catch (error) {
      throw failure(error, "running");
    }
  }

  /** Pointers to names, and to handles of tensors, on the stack. */
  private placed(ports: [string, Tensor | null][]): [names: number, values: number] {
    const { module } = this;
    const names = module.stackAlloc(4 * ports.length);
    const values = module.stackAlloc(4 * ports.length);
    ports.forEach(([name, tensor], index) => {
      if (tensor !== null && !(tensor instanceof WasmTensor)) {
        throw SatchelError.usage(`${name} is no tensor of this engine`);
      }
      module.setValue(names + 4 * index, this.nameOf(name), "*");
      module.setValue(values + 4 * index, tensor?.handle ?? 0, "*");
    });
    return [names, values];
  }

  private nameOf(name: string): number {
    const pointer = this.names.get(name);
    if (pointer === undefined) {
      throw noSuchPort(name);
    }
    return pointer;
  }

  /** Ends profiling; ONNX Runtime then writes its events as lines of its log. */
  endProfiling(): void {
    this.module._OrtFree(this.module._OrtEndProfiling(this.session));
  }

  dispose(): void {
    if (this.session !== 0) {
      for (const pointer of this.names.values()) {
        this.module._OrtFree(pointer);
      }
      this.module._OrtReleaseSession(this.session);
      this.session = 0;
    }
  }
}
