/**
 * The border between the loops and whatever runs graphs: ONNX Runtime as a WebAssembly module (`wasm.ts`) or
 * natively in Node (`node.ts`). Knows no model.
 */

export type DType = "float32" | "int64" | "int32" | "int8" | "uint8" | "bool" | "float16";

export type TypedArray = Float32Array | BigInt64Array | Int32Array | Int8Array | Uint8Array | Uint16Array;

/** Numbers that live where the graph runs. `view()` is valid until the next `run` of any graph or `dispose`. */
export interface Tensor {
  readonly dtype: DType;
  readonly shape: readonly number[];
  /** All numbers, row after row; what is written there is what the next run reads. float16 as its 16 bits. */
  view(): TypedArray;
  dispose(): void;
}

/** An input or output as the graph's file has it; a dynamic axis is null. */
export interface Signature {
  readonly name: string;
  readonly dtype: string;
  readonly axes: readonly (number | null)[];
}

export interface Graph {
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  /** The same with types and axes. */
  readonly signature: { readonly inputs: readonly Signature[]; readonly outputs: readonly Signature[] };
  /**
   * Runs once. `outputs` names what is wanted; a Tensor there is written in place (it may be one of the feeds:
   * the cache). What comes back holds all that was wanted; new tensors are the caller's to dispose.
   */
  run(feeds: Record<string, Tensor>, outputs: Record<string, Tensor | null>): Promise<Record<string, Tensor>>;
  dispose(): void;
}

/** Bytes of a file; as a Uint8Array, or so that not all of it is in memory at once. */
export interface Pieces {
  readonly byteLength: number;
  subarray(start: number, end: number): Uint8Array;
}

/** A file of weights, by the name under which the graph refers to it. */
export interface Weights {
  readonly name: string;
  readonly data: Pieces;
}

export interface Engine {
  readonly name: string;
  readonly version: string;
  readonly threads: number;
  /** Zeros without `data`. */
  tensor(dtype: DType, shape: readonly number[], data?: TypedArray): Tensor;
  /** Whether `open` takes the path of a graph's file, which then finds its weights beside it. */
  readonly opensPaths?: boolean;
  /** External data by the name that the graph has for it. `name` stands in errors. */
  open(graph: Uint8Array | string, weights: readonly Weights[], name?: string): Promise<Graph>;
  dispose(): void;
}

const BYTES: Record<DType, number> = {
  float32: 4,
  int64: 8,
  int32: 4,
  int8: 1,
  uint8: 1,
  bool: 1,
  float16: 2,
};

/** Bytes of a number. */
export function bytesOf(dtype: DType): number {
  return BYTES[dtype];
}

/** How many numbers a shape holds. */
export function countOf(shape: readonly number[]): number {
  return shape.reduce((product, size) => product * size, 1);
}

/** A view of `count` numbers that lie in `buffer` from `offset` on. */
export function viewOf(dtype: DType, buffer: ArrayBufferLike, offset: number, count: number): TypedArray {
  switch (dtype) {
    case "float32":
      return new Float32Array(buffer, offset, count);
    case "int64":
      return new BigInt64Array(buffer, offset, count);
    case "int32":
      return new Int32Array(buffer, offset, count);
    case "int8":
      return new Int8Array(buffer, offset, count);
    case "float16":
      return new Uint16Array(buffer, offset, count);
    default:
      return new Uint8Array(buffer, offset, count);
  }
}
