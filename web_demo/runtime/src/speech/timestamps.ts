/**
 * What Whisper's timestamp tokens mean: which may come next, and how they cut a window into segments. As in transformers and
 * the paper (Radford et al., 2022, section 2.3): timestamps come in pairs around a segment, never go back, and one is taken
 * where together they are likelier than any other token.
 */
import { highestOf, type Processor } from "../generate/processors.js";

const OUT = Number.NEGATIVE_INFINITY;

/** Tokens between two steps of time from the beginning of a window. */
export interface Cut {
  readonly start: number;
  readonly end: number;
  readonly tokens: readonly number[];
}

/** The segments of a window, and the steps until the next. */
export interface Cuts {
  readonly cuts: readonly Cut[];
  readonly following: number;
}

export class Timestamps implements Processor {
  /** Chances are compared with one another, whose last bits change where all are higher by one number. */
  readonly relative = false;

  constructor(
    /** Ids from this on are steps of time; the one before says that there are none. */
    readonly first: number,
    /** Ends a text, and lies below them. */
    private readonly end: number,
    /** Steps that the first timestamp has at most. */
    private readonly latestStart: number | null,
  ) {}

  change(scores: Float32Array, text: readonly number[], fresh: number): void {
    const { first } = this;
    const tokens = text.slice(text.length - fresh);
    scores[first - 1] = OUT;
    if (tokens.length === 0) {
      scores.fill(OUT, 0, first);
      if (this.latestStart !== null) {
        scores.fill(OUT, first + this.latestStart + 1);
      }
      return;
    }
    const afterTime = tokens.at(-1)! >= first;
    const opened = afterTime && (tokens.length === 1 || tokens.at(-2)! >= first);
    const latest = tokens.findLast((token) => token >= first);
    if (latest !== undefined) {
      // Only what closes a segment and what opens the next may be the same time.
      scores.fill(OUT, first, latest + (afterTime && !opened ? 0 : 1));
    }
    if (opened) {
      scores.fill(OUT, first);
    } else if (afterTime) {
      scores.fill(OUT, 0, this.end);
    }
    const best = highestOf(scores);
    const word = highestOf(scores.subarray(0, first));
    let times = 0;
    for (let id = first; id < scores.length; id++) {
      times += Math.exp(scores[id]! - best);
    }
    if (times > Math.exp(word - best)) {
      scores.fill(OUT, 0, first);
    }
  }

  /**
   * The segments in the tokens of a window of so many steps. Where the last segment is open, the next window begins with it;
   * else behind this one.
   */
  cut(tokens: readonly number[], steps: number): Cuts {
    const isTime = (place: number) => tokens[place]! >= this.first;
    const bounds: number[] = [];
    for (let i = 0; i + 1 < tokens.length; i++) {
      if (isTime(i) && isTime(i + 1)) {
        bounds.push(i + 1);
      }
    }
    if (bounds.length === 0) {
      return { cuts: [{ start: 0, end: this.endOfOne(tokens, steps), tokens }], following: steps };
    }
    if (!isTime(tokens.length - 2) && isTime(tokens.length - 1)) {
      // Nothing is said after the last segment.
      return { cuts: this.between([...bounds, tokens.length], tokens), following: steps };
    }
    const cuts = this.between(bounds, tokens);
    return { cuts, following: Math.max(1, cuts.at(-1)!.end) };
  }

  private between(bounds: readonly number[], tokens: readonly number[]): Cut[] {
    return bounds.map((bound, i) => {
      const part = tokens.slice(i === 0 ? 0 : bounds[i - 1]!, bound);
      return { start: part[0]! - this.first, end: part.at(-1)! - this.first, tokens: part };
    });
  }

  /** Where a window's only segment ends: at its last timestamp, unless that is its beginning. */
  private endOfOne(tokens: readonly number[], steps: number): number {
    const latest = tokens.findLast((token) => token >= this.first) ?? this.first;
    return latest - this.first || steps;
  }
}
