/**
 * Beam search (Graves, 2012) over a batch of texts, equal to that of transformers. Knows no text. A score is the sum of a
 * text's log-probabilities, its end included, over its length to the power of the length penalty.
 */
import type { Run } from "../decoder/run.js";
import { falling } from "../order.js";
import type { FinishReason } from "./loop.js";
import type { Options } from "./options.js";
import { highestOf, massOf, type Processor } from "./processors.js";
import { notFinite } from "./sampler.js";

const { fround } = Math;
const NOTHING = Number.NEGATIVE_INFINITY;

/** A text that was found: its new ids without the end of text, and its score. */
export interface Hypothesis {
  readonly tokens: readonly number[];
  readonly score: number;
  readonly finishReason: FinishReason;
}

/** One text to be continued, and what was found: at most `numBeams`, the best first. */
export interface Search {
  readonly prompt: readonly number[];
  readonly processors: readonly Processor[];
  /** New tokens at most. */
  readonly limit: number;
  readonly found: Hypothesis[];
}

/** A beam: its row of the run, its new ids and the sum of their log-probabilities. */
interface Beam {
  readonly row: number;
  readonly tokens: readonly number[];
  readonly score: number;
}

/** What a beam may go on with. */
interface Candidate {
  readonly beam: Beam;
  readonly id: number;
  readonly score: number;
}

/** Fills `found` of the searches; `run` is new and has a row for each. Raises NUMERIC_ERROR where options leave no text. */
export async function beamSearch(
  run: Run,
  searches: readonly Search[],
  options: Options,
  eos: readonly number[],
): Promise<void> {
  const beams = new Beams(options, eos);
  let open = searches.map((search, row) => ({ search, beams: [{ row, tokens: [], score: 0 }] as Beam[] }));
  if (searches[0]!.limit < 1) {
    for (const { found } of searches) {
      found.push({ tokens: [], score: 0, finishReason: "length" });
    }
    return;
  }
  try {
    let logits = await run.prefill(searches.map(({ prompt }) => prompt));
    for (let fresh = 0; ; fresh++) {
      const next: typeof open = [];
      for (const { search, beams: own } of open) {
        const going = beams.advance(search, own, logits, fresh);
        if (going.length > 0) {
          next.push({ search, beams: going });
        }
      }
      open = next;
      const rows = open.flatMap(({ beams: own }) => own.map((beam) => beam.row));
      if (rows.length === 0) {
        break;
      }
      run.reorder(
        rows,
        rows.map(() => 0),
      );
      let row = 0;
      open = open.map(({ search, beams: own }) => ({
        search,
        beams: own.map((beam) => ({ ...beam, row: row++ })),
      }));
      logits = await run.step(open.flatMap(({ beams: own }) => own.map(({ tokens }) => tokens.at(-1)!)));
    }
  } catch (error) {
    if (run.signal?.aborted !== true) {
      throw error;
    }
    for (const { search, beams: own } of open) {
      for (const { tokens, score } of own.filter(
        (beam) => Number.isFinite(beam.score) && beam.tokens.length > 0,
      )) {
        beams.take(search, tokens, score, tokens.length, "cancelled");
      }
      if (search.found.length === 0) {
        search.found.push({ tokens: [], score: 0, finishReason: "cancelled" });
      }
    }
  }
  if (searches.some(({ found }) => found.length === 0)) {
    throw notFinite(NOTHING);
  }
}

class Beams {
  private readonly kept: number; // so that enough go on, whichever end
  private readonly eos: ReadonlySet<number>;

  constructor(
    private readonly options: Options,
    eos: readonly number[],
  ) {
    this.eos = new Set(eos);
    this.kept = Math.max(2, 1 + eos.length) * options.numBeams;
  }

  /** The beams with which a search goes on, in an order in which a first child takes its parent's place; none where it ends. */
  advance(search: Search, beams: readonly Beam[], logits: readonly Float32Array[], fresh: number): Beam[] {
    const { numBeams } = this.options;
    const candidates = this.candidates(search, beams, logits, fresh);
    const count = fresh + 1;
    const last = count >= search.limit;
    candidates.forEach(({ beam, id, score }, rank) => {
      const ended = this.eos.has(id);
      if (rank < numBeams && (ended || last) && Number.isFinite(score)) {
        this.take(search, ended ? beam.tokens : [...beam.tokens, id], score, count, ended ? "eos" : "length");
      }
    });
    const going = candidates
      .map((each) => (this.eos.has(each.id) ? { ...each, score: NOTHING } : each))
      .sort((a, b) => falling(a.score, b.score))
      .slice(0, numBeams);
    const best = going.reduce((most, { score }) => Math.max(most, score), NOTHING);
    if (!this.improves(search, best, count)) {
      return [];
    }
    return placed(going, beams).map(({ beam, id, score }) => ({
      row: beam.row,
      tokens: [...beam.tokens, id],
      score,
    }));
  }

  /** Takes up a text. */
  take(
    search: Search,
    tokens: readonly number[],
    sum: number,
    length: number,
    finishReason: FinishReason,
  ): void {
    const score = fround(sum / fround(length ** this.options.lengthPenalty));
    search.found.push({ tokens, score, finishReason });
    search.found.sort((a, b) => b.score - a.score);
    search.found.splice(this.options.numBeams);
  }

  /** Whether to go on with a search whose best beam has this score. */
  private improves(search: Search, best: number, count: number): boolean {
    if (count >= search.limit || best === NOTHING) {
      return false;
    }
    const { numBeams, earlyStopping, lengthPenalty } = this.options;
    if (search.found.length < numBeams) {
      return true;
    }
    if (earlyStopping === true) {
      return false;
    }
    // "never" stops only where no length to come could help.
    const length = earlyStopping === "never" && lengthPenalty > 0 ? search.limit : count;
    return fround(best / fround(length ** lengthPenalty)) > search.found.at(-1)!.score;
  }

  /** The best next ids of all beams of a search, the best first. */
  private candidates(
    search: Search,
    beams: readonly Beam[],
    logits: readonly Float32Array[],
    fresh: number,
  ): Candidate[] {
    const all: Candidate[] = [];
    const absolute = !search.processors.every(({ relative }) => relative);
    for (const beam of beams) {
      const row = logits[beam.row]!;
      const normaliser = logNormaliser(row);
      let shift = beam.score;
      if (absolute) {
        for (let id = 0; id < row.length; id++) {
          row[id] = row[id]! - normaliser;
        }
      } else {
        shift = fround(shift - normaliser);
      }
      const text = [...search.prompt, ...beam.tokens];
      for (const processor of search.processors) {
        processor.change(row, text, fresh);
      }
      for (const id of topIds(row, this.kept)) {
        all.push({ beam, id, score: fround(row[id]! + shift) });
      }
    }
    return all.sort((a, b) => falling(a.score, b.score)).slice(0, this.kept);
  }
}

/** What logits exceed their log-probabilities by. Raises NUMERIC_ERROR where they are not finite. */
export function logNormaliser(row: Float32Array): number {
  const best = highestOf(row);
  if (!Number.isFinite(best)) {
    throw notFinite(best);
  }
  return fround(best + Math.log(massOf(row, best)));
}

/** The ids of the highest `count` scores, the highest first. */
function topIds(row: Float32Array, count: number): number[] {
  const best: number[] = [];
  for (let id = 0; id < row.length; id++) {
    const score = row[id]!;
    if (best.length < count || score > row[best.at(-1)!]!) {
      let at = best.length;
      while (at > 0 && row[best[at - 1]!]! < score) {
        at--;
      }
      best.splice(at, 0, id);
      best.length = Math.min(best.length, count);
    }
  }
  return best;
}

/** An order in which a parent's first child takes its parent's place, so that nothing is copied for it. */
function placed(going: readonly Candidate[], beams: readonly Beam[]): Candidate[] {
  if (beams.length !== going.length) {
    return [...going];
  }
  const order: (Candidate | undefined)[] = beams.map(() => undefined);
  const others: Candidate[] = [];
  for (const child of going) {
    const place = beams.indexOf(child.beam);
    if (order[place] === undefined) {
      order[place] = child;
    } else {
      others.push(child);
    }
  }
  return order.map((child) => child ?? others.shift()!);
}
