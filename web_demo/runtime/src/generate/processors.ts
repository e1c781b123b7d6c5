/**
 * Change the scores of a text's next id, as the options ask. Scores are logits, or in a beam search log-probabilities. The
 * processors' order and meaning are those of transformers.
 */
import { SatchelError } from "../errors.js";
import type { Options } from "./options.js";

/** Changes scores of every id in place, for a text so far of which `fresh` ids are new. */
export interface Processor {
  /** Whether scores that are all higher by one number come out higher by it: then logits serve a beam search. */
  readonly relative: boolean;
  change(scores: Float32Array, text: readonly number[], fresh: number): void;
}

const OUT = Number.NEGATIVE_INFINITY;
const { fround } = Math;

const endsWith = (text: readonly number[], before: readonly number[]): boolean =>
  before.length <= text.length && before.every((id, i) => text[text.length - before.length + i] === id);

function bias(
  alone: ReadonlyMap<number, number>,
  sequences: readonly (readonly [readonly number[], number])[],
): Processor {
  return {
    relative: true,
    change(scores, text) {
      if (sequences.length === 0) {
        for (const [id, value] of alone) {
          scores[id]! += fround(value);
        }
        return;
      }
      const whole = new Float32Array(scores.length); // added up first, which rounds as transformers does
      for (const [id, value] of alone) {
        whole[id] = value;
      }
      for (const [ids, value] of sequences) {
        if (endsWith(text, ids.slice(0, -1))) {
          whole[ids.at(-1)!]! += fround(value);
        }
      }
      for (let id = 0; id < scores.length; id++) {
        scores[id]! += whole[id]!;
      }
    },
  };
}

/** Keskar et al., 2019: once per id that occurred, or that `source` holds. */
function repetition(penalty: number, source?: readonly number[]): Processor {
  const factor = fround(penalty);
  return {
    relative: false,
    change(scores, text) {
      for (const id of new Set(source ?? text)) {
        const before = scores[id]!;
        scores[id] = before < 0 ? before * factor : before / factor;
      }
    },
  };
}

/** Rules out ids that would end a sequence of `size` ids which occurs in the text, or in `source`. */
function noRepeatNgram(size: number, source?: readonly number[]): Processor {
  return {
    relative: true,
    change(scores, text) {
      const before = size - 1;
      const searched = source ?? text;
      if (text.length < before) {
        return;
      }
      for (let at = 0; at + before < searched.length; at++) {
        let same = true;
        for (let i = 0; i < before && same; i++) {
          same = searched[at + i] === text[text.length - before + i];
        }
        if (same) {
          scores[searched[at + before]!] = OUT;
        }
      }
    },
  };
}

function badWords(words: readonly (readonly number[])[]): Processor {
  return {
    relative: true,
    change(scores, text) {
      for (const word of words) {
        if (endsWith(text, word.slice(0, -1))) {
          scores[word.at(-1)!] = OUT;
        }
      }
    },
  };
}

/** Rules out ids while the number of new ones is from `first` to `last`. */
function suppress(ids: readonly number[], first = 0, last = Number.POSITIVE_INFINITY): Processor {
  return {
    relative: true,
    change(scores, _, fresh) {
      if (first <= fresh && fresh <= last) {
        for (const id of ids) {
          scores[id] = OUT;
        }
      }
    },
  };
}

/** Rules out all ids but some, which get 0, when the number of new ones is `at`. */
function force(ids: readonly number[], at: number): Processor {
  return {
    relative: false,
    change(scores, _, fresh) {
      if (fresh === at) {
        scores.fill(OUT);
        for (const id of ids) {
          scores[id] = 0;
        }
      }
    },
  };
}

/** Raises the scores of `ends` by a part of their size that grows with each id beyond `start`. */
function decay(ends: readonly number[], start: number, factor: number): Processor {
  return {
    relative: false,
    change(scores, _, fresh) {
      for (const id of fresh > start ? ends : []) {
        const score = scores[id]!;
        if (Number.isFinite(score)) {
          scores[id] = score + fround(Math.abs(score) * fround(factor ** (fresh - start) - 1));
        }
      }
    },
  };
}

/** Makes log-probabilities of scores. */
const renormalize: Processor = {
  relative: false,
  change(scores) {
    const best = highestOf(scores);
    if (Number.isFinite(best)) {
      const normaliser = Math.log(massOf(scores, best));
      for (let id = 0; id < scores.length; id++) {
        scores[id] = fround(scores[id]! - best) - normaliser;
      }
    }
  },
};

/** The highest of some scores; NaN where one is none. */
export function highestOf(scores: Float32Array): number {
  let best = OUT;
  for (let id = 0; id < scores.length; id++) {
    const score = scores[id]!;
    if (!(score <= best)) {
      best = score;
      if (Number.isNaN(score)) {
        return score;
      }
    }
  }
  return best;
}

/** What the exponentials of scores less the best add up to. */
export function massOf(scores: Float32Array, best: number): number {
  let mass = 0;
  for (let id = 0; id < scores.length; id++) {
    mass += Math.exp(fround(scores[id]! - best));
  }
  return mass;
}

export interface About {
  readonly vocabSize: number;
  readonly eos: readonly number[];
  /** How many ids the decoder begins with. */
  readonly start: number;
  /** How many it may add. */
  readonly limit: number;
  /** What an encoder reads, or the prompt. */
  readonly source: readonly number[];
}

/** The processors of one text, in their order. Raises TOKEN_ID for ids that the model does not have. */
export function processorsOf(options: Options, about: About): Processor[] {
  const { vocabSize, eos, start, limit, source } = about;
  const ids = (name: string, values: number | readonly number[]): number[] => {
    const listed = typeof values === "number" ? [values] : Array.from(values);
    const outside = listed.find((id) => id >= vocabSize);
    if (outside !== undefined) {
      throw SatchelError.usage(`${name}: id ${outside} is outside 0..${vocabSize - 1}`, "TOKEN_ID");
    }
    return listed;
  };
  const chosen: Processor[] = [];
  if (Object.keys(options.logitBias ?? {}).length > 0 || (options.sequenceBias ?? []).length > 0) {
    chosen.push(biasOf(options, ids));
  }
  if (options.encoderRepetitionPenalty !== undefined && source.length > 0) {
    chosen.push(repetition(1 / options.encoderRepetitionPenalty, source));
  }
  if (options.repetitionPenalty !== undefined) {
    chosen.push(repetition(options.repetitionPenalty));
  }
  if (options.noRepeatNgramSize !== undefined) {
    chosen.push(noRepeatNgram(options.noRepeatNgramSize));
  }
  if (options.encoderNoRepeatNgramSize !== undefined) {
    chosen.push(noRepeatNgram(options.encoderNoRepeatNgramSize, source));
  }
  if (options.badWordsIds !== undefined) {
    const words = options.badWordsIds.map((word) => ids("badWordsIds", word));
    chosen.push(badWords(words.filter((word) => word.length > 1 || !eos.includes(word[0]!))));
  }
  const least = Math.max((options.minLength ?? 0) - start, options.minNewTokens ?? 0);
  if (least > 0 && eos.length > 0) {
    chosen.push(suppress(eos, 0, least - 1));
  }
  if (options.forcedBosTokenId !== undefined) {
    if (start !== 1) {
      throw SatchelError.usage(
        `forcedBosTokenId is for the id after the first; the prompt has ${start} tokens`,
      );
    }
    chosen.push(force(ids("forcedBosTokenId", options.forcedBosTokenId), 0));
  }
  if (options.forcedEosTokenId !== undefined) {
    chosen.push(force(ids("forcedEosTokenId", options.forcedEosTokenId), limit - 1));
  }
  if (options.exponentialDecayLengthPenalty !== undefined && eos.length > 0) {
    chosen.push(decay(eos, ...options.exponentialDecayLengthPenalty));
  }
  if (options.suppressTokens !== undefined) {
    chosen.push(suppress(ids("suppressTokens", options.suppressTokens)));
  }
  if (options.beginSuppressTokens !== undefined) {
    const place = start === 1 && options.forcedBosTokenId !== undefined ? 1 : 0;
    chosen.push(suppress(ids("beginSuppressTokens", options.beginSuppressTokens), place, place));
  }
  if (options.renormalizeLogits === true) {
    chosen.push(renormalize);
  }
  return chosen;
}

/** What `logitBias` and `sequenceBias` add; of a sequence that is named twice, the last counts. */
function biasOf(options: Options, ids: (name: string, values: readonly number[]) => number[]): Processor {
  const alone = new Map(Object.entries(options.logitBias ?? {}).map(([id, value]) => [Number(id), value]));
  ids("logitBias", [...alone.keys()]);
  const named = new Map<string, readonly [readonly number[], number]>();
  for (const [word, value] of options.sequenceBias ?? []) {
    const listed = ids("sequenceBias", word);
    named.set(listed.join(), [listed, value]);
  }
  for (const [word, value] of named.values()) {
    if (word.length === 1) {
      alone.set(word[0]!, (alone.get(word[0]!) ?? 0) + value);
    }
  }
  return bias(
    alone,
    [...named.values()].filter(([word]) => word.length > 1),
  );
}
