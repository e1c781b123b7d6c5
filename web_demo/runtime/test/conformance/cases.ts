/** Puts a bundle's conformance cases to a model that is open, wherever it runs. Knows no file. */

import type { AnyModel } from "../../src/models.js";
import { Tokenizer } from "../../src/tokenizer/tokenizer.js";
import { type Asked, type Given, KINDS } from "./asked.js";
import { differences } from "./likeness.js";

/** What `satchel conformance` writes. */
export interface CaseFile {
  readonly tolerances: Record<string, number>;
  readonly cases: readonly { readonly kind: string; readonly input: Given; readonly expect: unknown }[];
}

export interface Count {
  done: number;
  failed: number;
  /** Right by the wider tolerance alone. */
  apart: number;
}

/** Cases done and failed by kind. */
export type Counts = Record<string, Count>;

const SHOWN = 3; // failures of a kind that are told

/**
 * What of a file's cases fails, by kind; `told` is given some of it. Numbers with a point may differ by `least` at least:
 * where other instructions add up, an int8 step falls on the other side of a rounding now and then. Ids and texts may not.
 */
export async function conform(
  model: AnyModel,
  tokenizerJson: () => string,
  { cases, tolerances }: CaseFile,
  told: (line: string) => void,
  least = 0,
): Promise<Counts> {
  const wider = Object.fromEntries(
    Object.entries(tolerances).map(([name, one]) => [name, Math.max(one, least)]),
  );
  const counts: Counts = {};
  let tokenizer: Tokenizer | undefined;
  const asked: Asked = {
    manifest: model.manifest,
    get tokenizer(): Tokenizer {
      tokenizer ??= Tokenizer.parse(tokenizerJson());
      return tokenizer;
    },
    model,
  };
  for (const { kind, input, expect } of cases) {
    counts[kind] ??= { done: 0, failed: 0, apart: 0 };
    const count = counts[kind];
    count.done += 1;
    const { first, exact } = await fault(asked, kind, input, expect, [tolerances, wider]);
    if (first === undefined) {
      count.apart += exact ? 0 : 1;
    } else {
      count.failed += 1;
      if (count.failed <= SHOWN) {
        told(`${kind} ${JSON.stringify(input).slice(0, 200)}: ${first}`);
      }
    }
  }
  return counts;
}

/** Counts of several files as one. */
export function added(all: readonly Counts[]): Counts {
  const total: Counts = {};
  for (const [kind, count] of all.flatMap((counts) => Object.entries(counts))) {
    const sum = total[kind] ?? { done: 0, failed: 0, apart: 0 };
    total[kind] = {
      done: sum.done + count.done,
      failed: sum.failed + count.failed,
      apart: sum.apart + count.apart,
    };
  }
  return total;
}

/** A line for each kind and one for all; whether some were done and none failed. */
export function report(counts: Counts, told: (line: string) => void): boolean {
  for (const [kind, { done, failed, apart }] of Object.entries(counts)) {
    const beyond = apart > 0 ? `, ${apart} of them within the wider tolerance alone` : "";
    told(`${kind.padEnd(16)} ${done - failed} of ${done}${beyond}`);
  }
  const sum = (what: keyof Count) => Object.values(counts).reduce((all, count) => all + count[what], 0);
  told(`${sum("done") - sum("failed")} passed, ${sum("failed")} failed`);
  return sum("failed") === 0 && sum("done") > 0;
}

async function fault(
  asked: Asked,
  kind: string,
  input: Given,
  expect: unknown,
  [strict, wider]: [Record<string, number>, Record<string, number>],
): Promise<{ first: string | undefined; exact: boolean }> {
  try {
    const found = await KINDS[kind]!(asked, input);
    const [exactly] = differences(expect, found, strict);
    const [first] = differences(expect, found, wider);
    return { first, exact: exactly === undefined };
  } catch (error) {
    return { first: String((error as Error).stack ?? error).slice(0, 400), exact: false };
  }
}
