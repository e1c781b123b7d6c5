/** The page's end: a model in a worker of its own, with the methods of one that is not. */
import { TASKS } from "../bundle/tasks.js";
import { SatchelError, wordsOf } from "../errors.js";
import type { LoadOptions, Where } from "../load.js";
import type { AnyModel } from "../models.js";
import { wrongTask } from "../task-model.js";
import { type Question, type Reply, STREAMS, unpacked } from "./protocol.js";

export interface WorkerOptions extends LoadOptions {
  /** Where the worker's script lies: beside this module by default. */
  readonly worker?: string | URL | undefined;
}

/** A worker of a browser or of Node. */
interface AnyWorker {
  postMessage(message: unknown): void;
  terminate(): unknown;
  addEventListener?(kind: string, heard: (event: unknown) => void): void;
  on?(kind: string, heard: (value: unknown) => void): void;
}

interface Waiting {
  piece(value: unknown): void;
  done(value: unknown): void;
  failed(error: unknown): void;
  told?(reply: Reply): void;
}

const ALL_METHODS = new Set(Object.values(TASKS).flatMap((task) => task.methods));

/** As `load`, in a worker: the page stays free while the model computes. */
export async function loadInWorker(where: Where, options: WorkerOptions = {}): Promise<AnyModel> {
  options.signal?.throwIfAborted();
  const line = new Line(await started(options.worker));
  try {
    return await line.load(where, options);
  } catch (error) {
    line.end();
    throw error;
  }
}

async function started(script?: string | URL): Promise<AnyWorker> {
  const url = script === undefined ? new URL("./worker.js", import.meta.url) : absolute(script);
  if (globalThis.Worker !== undefined && globalThis.process?.versions?.node === undefined) {
    return new globalThis.Worker(url, { type: "module" }) as unknown as AnyWorker;
  }
  const name = "node:worker_threads";
  const { Worker } = (await import(name)) as typeof import("node:worker_threads");
  return new Worker(url) as unknown as AnyWorker;
}

function absolute(address: string | URL): URL {
  return new URL(address, globalThis.document?.baseURI ?? globalThis.location?.href);
}

class Line {
  private readonly waiting = new Map<number, Waiting>();
  private last = 0;
  private over: SatchelError | undefined;

  constructor(private readonly worker: AnyWorker) {
    const heard = (reply: unknown) => this.hear(reply as Reply);
    const failed = (error: unknown) => {
      const words = (error as { message?: string } | null)?.message ?? wordsOf(error);
      this.end(new SatchelError(`the worker failed: ${words}`, "WORKER"));
    };
    if (worker.addEventListener !== undefined) {
      worker.addEventListener("message", (event) => heard((event as MessageEvent).data));
      worker.addEventListener("error", failed);
    } else {
      worker.on?.("message", heard);
      worker.on?.("error", failed);
      worker.on?.("exit", () => failed("it ended"));
    }
  }

  async load(where: Where, options: WorkerOptions): Promise<AnyModel> {
    const { threads, engine, keep, wasmFolder, signal, onProgress, onWarning } = options;
    const about = {
      ...{ threads, engine, keep },
      ...(wasmFolder !== undefined && { wasmFolder: absolute(wasmFolder).href }),
    };
    let loaded: Extract<Reply, { kind: "loaded" }> | undefined;
    await new Promise<unknown>((resolve, reject) => {
      const id = this.ask((id) => ({ kind: "load", id, where: sendable(where), options: about }), {
        piece: () => undefined,
        done: resolve,
        failed: reject,
        told: (reply) => {
          if (reply.kind === "progress") {
            onProgress?.(reply.loaded, reply.total, reply.file);
          } else if (reply.kind === "warning") {
            onWarning?.(reply.message);
          } else if (reply.kind === "loaded") {
            loaded = reply;
          }
        },
      });
      this.obey(id, signal, reject);
    });
    return this.model(loaded!);
  }

  private model({ manifest, engine }: Extract<Reply, { kind: "loaded" }>): AnyModel {
    const task = TASKS[manifest.task];
    const own: Record<string, unknown> = { manifest, engine, close: () => this.close() };
    for (const method of ALL_METHODS) {
      own[method] = (...input: unknown[]) => {
        if (!task?.methods.includes(method)) {
          throw wrongTask(method, manifest.task);
        }
        return STREAMS.has(method) ? this.stream(method, input) : this.call(method, input);
      };
    }
    return own as unknown as AnyModel;
  }

  private async call(method: string, input: unknown[]): Promise<unknown> {
    const { sent, signal } = withoutSignal(input);
    signal?.throwIfAborted();
    return new Promise((done, failed) => {
      const question = (id: number): Question => ({ kind: "call", id, method, ...sent });
      this.obey(this.ask(question, { piece: () => undefined, done, failed }), signal);
    });
  }

  private async *stream(method: string, input: unknown[]): AsyncGenerator<unknown, unknown, void> {
    const { sent, signal } = withoutSignal(isOptions(input.at(-1)) ? input : [...input, {}]);
    signal?.throwIfAborted();
    const pieces: unknown[] = [];
    let end: { value: unknown } | { error: unknown } | undefined;
    let wake = () => {};
    const ended = (how: typeof end) => {
      end = how;
      wake();
    };
    const id = this.ask((id) => ({ kind: "stream", id, method, ...sent, cancels: true }), {
      piece: (value) => {
        pieces.push(value);
        wake();
      },
      done: (value) => ended({ value }),
      failed: (error) => ended({ error }),
    });
    this.obey(id, signal);
    try {
      for (;;) {
        while (pieces.length > 0) {
          yield pieces.shift();
        }
        if (end !== undefined) {
          break;
        }
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
      if ("error" in end) {
        throw end.error;
      }
      return end.value;
    } finally {
      if (end === undefined) {
        this.worker.postMessage({ kind: "cancel", id }); // the reader left
      }
    }
  }

  private async close(): Promise<void> {
    if (this.over !== undefined) {
      return;
    }
    await new Promise((done, failed) => {
      this.ask((id) => ({ kind: "close", id }), { piece: () => undefined, done, failed });
    }).finally(() => this.end());
  }

  /** Ends the worker; what waits for it fails. */
  end(why = SatchelError.usage("the model was closed", "CLOSED")): void {
    this.over ??= why;
    void this.worker.terminate();
    const all = [...this.waiting.values()];
    this.waiting.clear();
    for (const one of all) {
      one.failed(why);
    }
  }

  private ask(question: (id: number) => Question, waiting: Waiting): number {
    this.last += 1;
    const id = this.last;
    if (this.over !== undefined) {
      waiting.failed(this.over);
      return id;
    }
    this.waiting.set(id, waiting);
    try {
      this.worker.postMessage(question(id));
    } catch (error) {
      this.waiting.delete(id);
      waiting.failed(SatchelError.usage(`this cannot be sent to a worker: ${wordsOf(error)}`));
    }
    return id;
  }

  /** Passes an abort on. With `reject` nobody waits for what the worker says to it. */
  private obey(id: number, signal?: AbortSignal, reject?: (reason: unknown) => void): void {
    const abort = () => {
      this.worker.postMessage({ kind: "cancel", id });
      reject?.(signal?.reason);
    };
    const waiting = this.waiting.get(id);
    if (signal === undefined || waiting === undefined) {
      return;
    }
    signal.addEventListener("abort", abort);
    const { done, failed } = waiting;
    const left = () => signal.removeEventListener("abort", abort);
    waiting.done = (value) => {
      left();
      done(value);
    };
    waiting.failed = (error) => {
      left();
      failed(signal.aborted && (error as Error | null)?.name === "AbortError" ? signal.reason : error);
    };
  }

  private hear(reply: Reply): void {
    const waiting = this.waiting.get(reply.id);
    if (waiting === undefined) {
      return;
    }
    if (reply.kind === "piece") {
      waiting.piece(reply.value);
      return;
    }
    waiting.told?.(reply);
    if (reply.kind === "done" || reply.kind === "loaded") {
      this.waiting.delete(reply.id);
      waiting.done(reply.kind === "done" ? reply.value : undefined);
    } else if (reply.kind === "error") {
      this.waiting.delete(reply.id);
      waiting.failed(unpacked(reply.error));
    }
  }
}

function sendable(where: Where): Exclude<Where, URL> {
  if (where instanceof URL) {
    return where.href;
  }
  const relative = typeof where === "string" && globalThis.location !== undefined;
  return relative ? absolute(where).href : where;
}

/** A signal cannot be sent; whether there was one is. */
function withoutSignal(input: unknown[]): {
  sent: { input: unknown[]; cancels: boolean };
  signal?: AbortSignal;
} {
  const last = input.at(-1);
  if (!isOptions(last)) {
    return { sent: { input, cancels: false } };
  }
  const { signal, ...options } = last as { signal?: AbortSignal };
  const sent = { input: [...input.slice(0, -1), options], cancels: signal !== undefined };
  return signal === undefined ? { sent } : { sent, signal };
}

function isOptions(value: unknown): value is object {
  return typeof value === "object" && value !== null && Object.getPrototypeOf(value) === Object.prototype;
}
