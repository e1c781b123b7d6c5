/** The worker's end: holds one model, and answers what is asked of it. */
import { SatchelError } from "../errors.js";
import type { LoadOptions, Where } from "../load.js";
import type { AnyModel } from "../models.js";
import { type Port, packed, type Question } from "./protocol.js";

type Load = (where: Where, options: LoadOptions) => Promise<AnyModel>;
type Method = (...input: unknown[]) => unknown;

/** Answers questions that come through `port`. */
export function serveModel(port: Port, load: Load): void {
  const running = new Map<number, AbortController>();
  let model: AnyModel | undefined;

  async function answer(question: Question, signal: AbortSignal): Promise<unknown> {
    const { id } = question;
    if (question.kind === "load") {
      model = await load(question.where, {
        ...question.options,
        signal,
        onProgress: (loaded, total, file) => port.post({ kind: "progress", id, loaded, total, file }),
        onWarning: (message) => port.post({ kind: "warning", id, message }),
      });
      const { name, version, threads } = model.engine;
      port.post({ kind: "loaded", id, manifest: model.manifest, engine: { name, version, threads } });
      return undefined;
    }
    if (question.kind === "close") {
      for (const [other, cancel] of running) {
        if (other !== id) {
          cancel.abort();
        }
      }
      await model?.close();
      model = undefined;
      return undefined;
    }
    if (question.kind === "cancel") {
      return undefined;
    }
    const result = methodOf(model, question.method)(...inputOf(question, signal));
    if (question.kind === "call") {
      return result;
    }
    const pieces = result as AsyncGenerator<unknown, unknown, void>;
    for (;;) {
      const { done, value } = await pieces.next();
      if (done === true) {
        return value;
      }
      port.post({ kind: "piece", id, value });
    }
  }

  async function take(question: Question): Promise<void> {
    const { id } = question;
    if (question.kind === "cancel") {
      running.get(id)?.abort();
      return;
    }
    const cancel = new AbortController();
    running.set(id, cancel);
    try {
      const value = await answer(question, cancel.signal);
      if (question.kind !== "load") {
        port.post({ kind: "done", id, value });
      }
    } catch (error) {
      port.post({ kind: "error", id, error: packed(error) });
    } finally {
      running.delete(id);
    }
  }

  port.listen((message) => void take(message as Question));
}

function methodOf(model: AnyModel | undefined, name: string): Method {
  const method = (model as unknown as Record<string, unknown> | undefined)?.[name];
  if (model === undefined || typeof method !== "function") {
    throw SatchelError.usage(model === undefined ? "no model is loaded" : `a model has no ${name}`);
  }
  return (method as Method).bind(model);
}

/** A signal cannot be sent: what stands for it is put into the options, which come last. */
function inputOf(question: { input: unknown[]; cancels: boolean }, signal: AbortSignal): unknown[] {
  if (!question.cancels) {
    return question.input;
  }
  const options = question.input.at(-1) as object;
  return [...question.input.slice(0, -1), { ...options, signal }];
}
