/** What a user of this package imports. */
export { SatchelError } from "./errors.js";
export type { DType, Engine, Graph, Tensor, TypedArray } from "./session/session.js";
