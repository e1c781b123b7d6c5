/** What a page and the worker that holds its model say to each other. */
import type { Manifest } from "../bundle/manifest.js";
import { SatchelError, wordsOf } from "../errors.js";
import type { LoadOptions, Where } from "../load.js";
import type { EngineInfo } from "../models.js";

/** Asked of the worker. `id` names the question; what answers it has the same. */
export type Question =
  | {
      kind: "load";
      id: number;
      where: Exclude<Where, URL>;
      options: Pick<LoadOptions, "threads" | "engine" | "keep"> & { wasmFolder?: string | undefined };
    }
  | { kind: "call" | "stream"; id: number; method: string; input: unknown[]; cancels: boolean }
  | { kind: "cancel"; id: number }
  | { kind: "close"; id: number };

export type Reply =
  | { kind: "progress"; id: number; loaded: number; total: number; file: string }
  | { kind: "warning"; id: number; message: string }
  | { kind: "loaded"; id: number; manifest: Manifest; engine: EngineInfo }
  | { kind: "piece"; id: number; value: unknown }
  | { kind: "done"; id: number; value: unknown }
  | { kind: "error"; id: number; error: Failure };

/** One end of the line. */
export interface Port {
  post(message: Question | Reply): void;
  listen(heard: (message: unknown) => void): void;
}

/** An error on its way. */
export interface Failure {
  readonly name: string;
  readonly message: string;
  readonly code?: string;
  readonly exitStatus?: number;
}

export function packed(error: unknown): Failure {
  if (error instanceof SatchelError) {
    const { name, message, code, exitStatus } = error;
    return { name, message, code, exitStatus };
  }
  return { name: (error as Error | null)?.name ?? "Error", message: wordsOf(error) };
}

export function unpacked({ name, message, code, exitStatus }: Failure): Error {
  if (code !== undefined) {
    return new SatchelError(message, code, exitStatus);
  }
  return Object.assign(new Error(message), { name });
}

/** Methods that answer piece by piece. */
export const STREAMS: ReadonlySet<string> = new Set(["stream", "streamChat", "transcribeStream"]);
