/** Graphs run natively in Node, by onnxruntime-node. */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import type { InferenceSession, OnnxValue, Tensor as OrtTensor } from "onnxruntime-node";
import { SatchelError, wordsOf } from "../errors.js";
import { failure, noSuchPort } from "./failure.js";
import {
  bytesOf,
  countOf,
  type DType,
  type Engine,
  type Graph,
  type Signature,
  type Tensor,
  type TypedArray,
  viewOf,
  type Weights,
} from "./session.js";

type Ort = typeof import("onnxruntime-node");

const FEWEST_ALLOWED = 32; // threads, on a machine of few cores: each of them waits busily

export interface NodeOptions {
  /** By default one for each core, where half of many logical ones are taken for siblings. */
  threads?: number;
}

export async function nodeEngine(options: NodeOptions = {}): Promise<NodeEngine> {
  const most = Math.max(FEWEST_ALLOWED, 4 * availableParallelism());
  const logical = availableParallelism();
  const { threads = logical <= 4 ? logical : logical >> 1 } = options;
  if (!(Number.isInteger(threads) && threads >= 1 && threads <= most)) {
    throw SatchelError.usage(`threads = ${threads}; expected 1 to ${most} on this machine`);
  }
  // Read when the library is loaded, and when a session is made. With more threads than heads, flash attention
  // adds up the parts of a long text in another order for a step than for a prefill.
  process.env.ORT_DISABLE_TELEMETRY = "1";
  process.env.ORT_GQA_DISABLE_FLASH_ATTENTION = "1";
  let ort: Ort;
  let version: string;
  try {
    const require = createRequire(import.meta.url);
    ort = require("onnxruntime-node") as Ort;
    version = (require("onnxruntime-node/package.json") as { version: string }).version;
  } catch (error) {
    throw SatchelError.unsupported(`onnxruntime-node is not installed: ${wordsOf(error)}`);
  }
  return new NodeEngine(ort, version, threads);
}

export class NodeEngine implements Engine {
  readonly name = "onnxruntime-node";
  readonly opensPaths = true;

  constructor(
    private readonly ort: Ort,
    readonly version: string,
    readonly threads: number,
  ) {}

  tensor(dtype: DType, shape: readonly number[], data?: TypedArray): Tensor {
    const count = countOf(shape);
    const numbers = viewOf(dtype, new ArrayBuffer(count * bytesOf(dtype)), 0, count);
    if (data !== undefined) {
      if (data.byteLength !== numbers.byteLength) {
        throw SatchelError.usage(`${data.byteLength} bytes given for a tensor of ${numbers.byteLength}`);
      }
      numbers.set(data as never);
    }
    return new NodeTensor(new this.ort.Tensor(dtype, numbers as never, [...shape]) as OrtTensor);
  }

  async open(graph: Uint8Array | string, weights: readonly Weights[], name = "a graph"): Promise<NodeGraph> {
    const options: InferenceSession.SessionOptions = {
      intraOpNumThreads: this.threads,
      interOpNumThreads: 1,
      logSeverityLevel: 4, // errors come as exceptions, not as lines beside ours
      externalData: weights.map(({ name: path, data }) => ({
        path,
        data: data.subarray(0, data.byteLength),
      })),
      extra: { session: exactSums() ? { x64quantprecision: "1" } : {} },
    };
    try {
      const { InferenceSession } = this.ort;
      const session =
        typeof graph === "string"
          ? await InferenceSession.create(graph, options)
          : await InferenceSession.create(graph, options);
      return new NodeGraph(session);
    } catch (error) {
      throw failure(error, `loading ${name}`);
    }
  }

  dispose(): void {}
}

/** Without VNNI, an x86 processor's quick kernels add pairs of uint8 x int8 in 16 bits, which may overflow. */
function exactSums(): boolean {
  try {
    return process.arch === "x64" && !readFileSync("/proc/cpuinfo", "latin1").includes("vnni");
  } catch {
    return false;
  }
}

class NodeTensor implements Tensor {
  constructor(readonly inner: OrtTensor) {}

  get dtype(): DType {
    return this.inner.type as DType;
  }

  get shape(): readonly number[] {
    return this.inner.dims;
  }

  view(): TypedArray {
    return this.inner.data as unknown as TypedArray;
  }

  dispose(): void {
    this.inner.dispose();
  }
}

class NodeGraph implements Graph {
  readonly signature: { inputs: Signature[]; outputs: Signature[] };
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  private readonly names: ReadonlySet<string>;
  private disposed = false;

  constructor(private readonly session: InferenceSession) {
    this.signature = {
      inputs: session.inputMetadata.map(signatureOf),
      outputs: session.outputMetadata.map(signatureOf),
    };
    this.inputs = session.inputNames;
    this.outputs = session.outputNames;
    this.names = new Set([...this.inputs, ...this.outputs]);
  }

  async run(
    feeds: Record<string, Tensor>,
    outputs: Record<string, Tensor | null>,
  ): Promise<Record<string, Tensor>> {
    if (this.disposed) {
      throw SatchelError.usage("this graph was disposed of");
    }
    const unknown = Object.keys({ ...feeds, ...outputs }).find((name) => !this.names.has(name));
    if (unknown !== undefined) {
      throw noSuchPort(unknown);
    }
    const given = Object.entries(feeds).map(([name, tensor]) => [name, inner(name, tensor)]);
    const wanted = Object.entries(outputs).map(([name, tensor]) => [name, tensor && inner(name, tensor)]);
    try {
      const results = await this.session.run(
        Object.fromEntries(given) as Record<string, OnnxValue>,
        Object.fromEntries(wanted) as Record<string, OnnxValue | null>,
      );
      const entries = Object.entries(outputs).map(([name, tensor]) => {
        return [name, tensor ?? new NodeTensor(results[name] as OrtTensor)] as const;
      });
      return Object.fromEntries(entries);
    } catch (error) {
      throw failure(error, "running");
    }
  }

  dispose(): void {
    if (!this.disposed) {
      this.disposed = true;
      void this.session.release();
    }
  }
}

function inner(name: string, tensor: Tensor): OrtTensor {
  if (!(tensor instanceof NodeTensor)) {
    throw SatchelError.usage(`${name} is no tensor of this engine`);
  }
  return tensor.inner;
}

function signatureOf(port: InferenceSession.ValueMetadata): Signature {
  if (!port.isTensor) {
    return { name: port.name, dtype: "no tensor", axes: [] };
  }
  const axes = port.shape.map((axis) => (typeof axis === "number" ? axis : null));
  return { name: port.name, dtype: port.type, axes };
}
