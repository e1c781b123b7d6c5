import { SatchelError, shown, wordsOf } from "../errors.js";

/** What ONNX Runtime threw, as an error of ours. */
export function failure(error: unknown, doing: string): SatchelError {
  if (error instanceof SatchelError) {
    return error;
  }
  const text = wordsOf(error);
  if (/bad_alloc|Failed to allocate memory|out of memory|\bOOM\b/i.test(text)) {
    return SatchelError.limit(`out of memory while ${doing}`, "OUT_OF_MEMORY");
  }
  return SatchelError.bundle(`ONNX Runtime failed while ${doing}: ${shown(text, 360)}`, "ORT");
}

/** A name that is neither an input nor an output. */
export function noSuchPort(name: string): SatchelError {
  return SatchelError.bundle(`the graph has no input or output ${shown(name)}`, "BUNDLE_IO");
}
