/**
 * Picks the next id from a row of logits. The order is that of transformers: temperature, top-h (Potraghloo et al., 2025),
 * top-k, top-p (Holtzman et al., 2020), min-p (Nguyen et al., 2024), typical-p (Meister et al., 2022), epsilon and eta cut-offs
 * (Hewitt et al., 2022).
 */
import { SatchelError } from "../errors.js";
import { falling } from "../order.js";
import type { Options } from "./options.js";
import { highestOf, massOf, type Processor } from "./processors.js";
import { NumpyRandom } from "./random.js";

const HUNDRED = 100; // ids that top-h looks at
const { fround } = Math;

/** Ids and their probabilities. */
interface Chances {
  ids: number[];
  chances: number[];
}

/** Chooses ids for one text; holds its random state. */
export class Sampler {
  private random: NumpyRandom | undefined;

  constructor(
    readonly options: Options,
    readonly processors: readonly Processor[],
  ) {}

  /** The next id by processed logits, the highest of which is `best`'s and finite. */
  choose(logits: Float32Array, best: number): number {
    const { temperature } = this.options;
    if (temperature === 0) {
      return best;
    }
    const over = fround(Math.max(temperature, 1e-30));
    const top = logits[best]!;
    const { ids, chances } = candidates(
      logits.map((logit) => fround(logit - top) / over),
      this.options,
    );
    let mass = 0;
    const sums = chances.map((chance) => {
      mass += chance;
      return mass;
    });
    this.random ??= new NumpyRandom(this.options.seed);
    const draw = this.random.next() * mass;
    // From the right, so that a draw never lands on an id of probability 0.
    const place = sums.findIndex((sum) => sum > draw);
    return ids[place < 0 ? ids.length - 1 : place]!;
  }
}

/** The id with the highest logit. Raises NUMERIC_ERROR where that is not finite. */
export function highest(logits: Float32Array): number {
  let best = 0;
  for (let id = 1; id < logits.length; id++) {
    if (!(logits[id]! <= logits[best]!) && !Number.isNaN(logits[best]!)) {
      best = id;
    }
  }
  if (!Number.isFinite(logits[best]!)) {
    throw notFinite(logits[best]!);
  }
  return best;
}

/** What to raise where the highest score of a row is infinite or no number. */
export function notFinite(best: number): SatchelError {
  const reason = best === Number.NEGATIVE_INFINITY ? ": the options leave no id" : "";
  return new SatchelError(`the model's logits are not finite${reason}`, "NUMERIC_ERROR");
}

/** Natural logarithm of the probability of an id. */
export function logProbability(logits: Float32Array, id: number): number {
  const top = highestOf(logits);
  return fround(logits[id]! - top) - Math.log(massOf(logits, top));
}

/** The ids that the options leave and their probabilities. */
function candidates(logits: Float32Array, options: Options): Chances {
  let left: Chances;
  if (options.topH !== undefined) {
    const places = withinEntropy(logits, options.topH);
    left = likeliest(
      Float32Array.from(places, (place) => logits[place]!),
      options,
    );
    left.ids = left.ids.map((id) => places[id]!);
  } else {
    left = likeliest(logits, options);
  }
  for (const keep of [
    options.typicalP !== undefined ? typical(options.typicalP) : undefined,
    options.epsilonCutoff !== undefined ? above(options.epsilonCutoff) : undefined,
    options.etaCutoff !== undefined ? aboveEta(options.etaCutoff) : undefined,
  ]) {
    if (keep !== undefined) {
      const kept = keep(left.chances);
      const chances = left.chances.filter((_, i) => kept[i]);
      const mass = chances.reduce((sum, chance) => sum + chance, 0);
      left = { ids: left.ids.filter((_, i) => kept[i]), chances: chances.map((chance) => chance / mass) };
    }
  }
  return left;
}

/** Of the best hundred ids, those whose terms add up to a `part` of the entropy; the best always. */
function withinEntropy(logits: Float32Array, part: number): number[] {
  const ids = top(logits, HUNDRED);
  const logarithms = ids.map((id) => fround(logits[id]! - logits[ids[0]!]!));
  const normaliser = Math.log(logarithms.reduce((sum, value) => sum + Math.exp(value), 0));
  let sum = 0;
  const sums = terms(logarithms.map((value) => Math.exp(value - normaliser))).map((term) => {
    sum += term;
    return sum;
  });
  const count = sums.filter((each) => each <= sum * part).length;
  return ids.slice(0, Math.max(1, count));
}

type Keep = (chances: readonly number[]) => boolean[];

/** The ids that surprise most nearly as much as is to be expected, until they hold the mass. */
function typical(mass: number): Keep {
  return (chances) => {
    const entropy = terms(chances).reduce((sum, term) => sum + term, 0);
    const away = chances.map((chance) => Math.abs(-Math.log(chance) - entropy));
    const order = away.map((_, i) => i).sort((a, b) => falling(away[b]!, away[a]!));
    let sum = 0;
    const last = order.filter((place) => {
      sum += chances[place]!;
      return sum < mass;
    }).length;
    const farthest = away[order[Math.min(last, order.length - 1)]!]!;
    return away.map((each) => each <= farthest);
  };
}

/** The ids of at least that probability; the likeliest always. */
function above(least: number): Keep {
  return (chances) => {
    const bound = Math.min(least, ...maxOf(chances));
    return chances.map((chance) => chance >= bound);
  };
}

/** As `above`, with a bound that falls with the entropy. */
function aboveEta(epsilon: number): Keep {
  return (chances) => {
    const entropy = terms(chances).reduce((sum, term) => sum + term, 0);
    return above(Math.min(epsilon, Math.sqrt(epsilon) * Math.exp(-entropy)))(chances);
  };
}

function maxOf(numbers: readonly number[]): [number] {
  return [numbers.reduce((most, number) => Math.max(most, number), Number.NEGATIVE_INFINITY)];
}

/** What each id adds to the entropy. */
function terms(chances: readonly number[]): number[] {
  return chances.map((chance) => -chance * Math.log(chance > 0 ? chance : 1));
}

/** The ids that top-k, top-p and min-p leave, likeliest first, and their probabilities. */
function likeliest(logits: Float32Array, options: Options): Chances {
  const { topK, topP, minP } = options;
  if (topK === undefined && topP === undefined && minP === undefined) {
    const best = highestOf(logits);
    const weights = Array.from(logits, (logit) => Math.exp(fround(logit - best)));
    const mass = weights.reduce((sum, weight) => sum + weight, 0);
    return { ids: weights.map((_, i) => i), chances: weights.map((weight) => weight / mass) };
  }
  const ids = top(logits, topK ?? logits.length);
  const best = logits[ids[0]!]!;
  const weights = ids.map((id) => Math.exp(fround(logits[id]! - best)));
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let keep = ids.length;
  if (topP !== undefined) {
    // The token that crosses the mass is kept, and always at least one.
    let sum = 0;
    const below = weights.findIndex((weight) => {
      sum += weight;
      return sum >= topP * total;
    });
    keep = Math.min(keep, (below < 0 ? weights.length : below) + 1);
  }
  if (minP !== undefined) {
    keep = Math.min(keep, Math.max(1, weights.filter((weight) => weight >= minP * weights[0]!).length));
  }
  const kept = weights.slice(0, keep);
  const mass = kept.reduce((sum, weight) => sum + weight, 0);
  return { ids: ids.slice(0, keep), chances: kept.map((weight) => weight / mass) };
}

/** Ids by falling logit, of equal ones the lower first. */
function top(logits: Float32Array, count: number): number[] {
  let ids = Array.from(logits, (_, i) => i);
  if (count < logits.length) {
    const bound = Float32Array.from(logits).sort()[logits.length - count]!;
    const surely = ids.filter((id) => logits[id]! > bound);
    const even = ids.filter((id) => logits[id] === bound).slice(0, count - surely.length);
    ids = [...surely, ...even].sort((a, b) => a - b);
  }
  return ids.sort((a, b) => falling(logits[a]!, logits[b]!));
}
