/** Memory of the WebAssembly module: texts, tensors and errors. */
import { SatchelError } from "../errors.js";
import { failure } from "./failure.js";
import { bytesOf, countOf, type DType, type Tensor, type TypedArray, viewOf } from "./session.js";
import type { Module } from "./wasm-module.js";

/** ONNX's numbers of types. */
const TYPES: Record<DType, number> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
};
const ON_CPU = 1;
const NO_SUCH_AXIS = 0x80000000; // a size is less, what has none is written as -1

export function typeName(type: number): string {
  return Object.entries(TYPES).find(([, number]) => number === type)?.[0] ?? `type ${type}`;
}

/** Runs `body` and gives back what it allocated on the stack. */
export function onStack<T>(module: Module, body: () => T): T {
  const stack = module.stackSave();
  try {
    return body();
  } finally {
    module.stackRestore(stack);
  }
}

/** Memory of the heap; raises OUT_OF_MEMORY. */
export function allocated(module: Module, size: number, what: string): number {
  const pointer = module._malloc(Math.max(size, 1));
  if (pointer === 0) {
    throw SatchelError.limit(`out of memory while making ${what} of ${size} bytes`, "OUT_OF_MEMORY");
  }
  return pointer;
}

/** The module's memory as bytes, from `pointer` on. It may have grown since the last view was made. */
export function bytesAt(module: Module, pointer: number, size: number): Uint8Array {
  if (pointer + size > module.HEAPU8.byteLength) {
    module.getValue(pointer, "i8"); // renews HEAPU8
  }
  return module.HEAPU8.subarray(pointer, pointer + size);
}

/** Raises the last error of ONNX Runtime if `status` is one. */
export function check(module: Module, status: number, doing: string): void {
  if (status !== 0) {
    throw failure(lastError(module), doing);
  }
}

function lastError(module: Module): string {
  return onStack(module, () => {
    const place = module.stackAlloc(8);
    module._OrtGetLastError(place, place + 4);
    const message = module.getValue(place + 4, "*");
    return message === 0 ? "" : module.UTF8ToString(message);
  });
}

/** A tensor in the module's memory; ONNX Runtime reads and writes it where it lies. */
export class WasmTensor implements Tensor {
  private constructor(
    private readonly module: Module,
    readonly dtype: DType,
    readonly shape: readonly number[],
    readonly handle: number,
    private readonly pointer: number,
    /** Whether the memory is ours to free, or goes with the handle. */
    private readonly ours: boolean,
  ) {}

  private disposed = false;

  static create(module: Module, dtype: DType, shape: readonly number[], data?: TypedArray): WasmTensor {
    const count = countOf(shape);
    const size = count * bytesOf(dtype);
    const pointer = allocated(module, size, "a tensor");
    const bytes = bytesAt(module, pointer, size);
    if (data === undefined) {
      bytes.fill(0);
    } else {
      if (data.byteLength !== size) {
        module._free(pointer);
        throw SatchelError.usage(`${data.byteLength} bytes given for a tensor of ${size}`);
      }
      bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
    }
    const handle = onStack(module, () => {
      const sizes = module.stackAlloc(4 * Math.max(shape.length, 1));
      shape.forEach((axis, index) => {
        module.setValue(sizes + 4 * index, axis, "i32");
      });
      return module._OrtCreateTensor(TYPES[dtype], pointer, size, sizes, shape.length, ON_CPU);
    });
    if (handle === 0) {
      module._free(pointer);
      check(module, 1, "making a tensor");
    }
    return new WasmTensor(module, dtype, [...shape], handle, pointer, true);
  }

  /** A tensor that ONNX Runtime made. */
  static made(module: Module, handle: number): WasmTensor {
    return onStack(module, () => {
      const place = module.stackAlloc(16);
      check(
        module,
        module._OrtGetTensorData(handle, place, place + 4, place + 8, place + 12),
        "reading a tensor",
      );
      const sizes = module.getValue(place + 8, "*");
      const rank = module.getValue(place + 12, "*");
      const shape = Array.from({ length: rank }, (_, index) => module.getValue(sizes + 4 * index, "*"));
      module._OrtFree(sizes);
      const dtype = typeName(module.getValue(place, "i32"));
      if (!(dtype in TYPES)) {
        throw SatchelError.bundle(`an output is of ${dtype}, which is unknown here`, "BUNDLE_IO");
      }
      return new WasmTensor(module, dtype as DType, shape, handle, module.getValue(place + 4, "*"), false);
    });
  }

  view(): TypedArray {
    if (this.disposed) {
      throw SatchelError.usage("this tensor was disposed of");
    }
    const count = countOf(this.shape);
    const { buffer } = bytesAt(this.module, this.pointer, count * bytesOf(this.dtype));
    return viewOf(this.dtype, buffer, this.pointer, count);
  }

  dispose(): void {
    if (this.disposed) {
      return;
    }
    this.disposed = true;
    this.module._OrtReleaseTensor(this.handle);
    if (this.ours) {
      this.module._free(this.pointer);
    }
  }
}

/** An axis as the graph's file has it: its size, or null where it is dynamic. */
export function axisOf(module: Module, about: number, rank: number, index: number): number | null {
  const named = module.getValue(about + 8 + 4 * index, "*") !== 0;
  const size = module.getValue(about + 8 + 4 * (rank + index), "*");
  return named || size >= NO_SUCH_AXIS ? null : size;
}
