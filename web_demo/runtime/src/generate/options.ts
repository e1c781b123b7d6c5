/** The options of a generation: what each must be, and what goes together. As runtime/options.py has them. */
import { SatchelError, shown } from "../errors.js";

type Test = (value: unknown) => boolean;
interface Rule {
  readonly valid: Test;
  readonly expected: string;
}

const isWhole =
  (low: number): Test =>
  (value) =>
    Number.isInteger(value) && (value as number) >= low;
const within =
  (low: number, high: number): Test =>
  (value) =>
    typeof value === "number" && low <= value && value <= high;
const isList = (value: unknown): value is unknown[] =>
  (Array.isArray(value) || ArrayBuffer.isView(value)) && (value as unknown[]).length > 0;
const areIds: Test = (value) => isList(value) && Array.from(value).every(isWhole(0));
const isBiasValue = within(Number.NEGATIVE_INFINITY, 1e6);
const isBias: Test = (value) =>
  typeof value === "object" &&
  value !== null &&
  !Array.isArray(value) &&
  Object.entries(value).every(([id, bias]) => /^\d+$/.test(id) && isBiasValue(bias));
const isSequenceBias: Test = (value) =>
  isList(value) &&
  value.every((pair) => isList(pair) && pair.length === 2 && areIds(pair[0]) && isBiasValue(pair[1]));

const number = (low: number, high: number, expected: string): Rule => ({
  valid: within(low, high),
  expected,
});
const COUNT: Rule = { valid: isWhole(1), expected: "a whole number from 1" };
const SIZE: Rule = { valid: isWhole(0), expected: "a whole number from 0" };
const SHARE = number(1e-9, 1, "above 0, up to 1");
const CUTOFF = number(0, 1 - 1e-9, "from 0, below 1");
const PENALTY = number(1e-3, 1e3, "above 0");
const SWITCH: Rule = { valid: (value) => typeof value === "boolean", expected: "true or false" };
const IDS: Rule = { valid: areIds, expected: "a list of ids" };

/** What is declared of an option; `neutral` is the value at which it changes nothing. */
interface About {
  readonly rule: Rule;
  readonly neutral?: unknown;
  readonly part?: "sampling" | "beams";
}
const sampling = (rule: Rule, neutral?: unknown): About => ({ rule, neutral, part: "sampling" });
const beams = (rule: Rule): About => ({ rule, part: "beams" });

export const ABOUT = {
  temperature: sampling(number(0, 1e4, "a number from 0 to 10000")),
  topK: sampling(COUNT),
  topP: sampling(SHARE, 1),
  minP: sampling(number(0, 1, "from 0 to 1"), 0),
  topH: sampling(SHARE),
  typicalP: sampling(SHARE, 1),
  epsilonCutoff: sampling(CUTOFF, 0),
  etaCutoff: sampling(CUTOFF, 0),
  seed: sampling(SIZE),
  numBeams: beams(COUNT),
  nBest: { rule: COUNT },
  lengthPenalty: beams(number(-100, 100, "a number from -100 to 100")),
  earlyStopping: beams({
    valid: (value) => typeof value === "boolean" || value === "never",
    expected: 'true, false or "never"',
  }),
  logitBias: { rule: { valid: isBias, expected: "a mapping of ids to numbers" } },
  sequenceBias: { rule: { valid: isSequenceBias, expected: "a list of pairs of ids and a number" } },
  repetitionPenalty: { rule: PENALTY, neutral: 1 },
  encoderRepetitionPenalty: { rule: PENALTY, neutral: 1 },
  noRepeatNgramSize: { rule: SIZE, neutral: 0 },
  encoderNoRepeatNgramSize: { rule: SIZE, neutral: 0 },
  badWordsIds: {
    rule: { valid: (value) => isList(value) && value.every(areIds), expected: "a list of lists of ids" },
  },
  maxLength: { rule: COUNT },
  minLength: { rule: SIZE, neutral: 0 },
  minNewTokens: { rule: SIZE, neutral: 0 },
  forcedBosTokenId: {
    rule: { valid: (v) => isWhole(0)(v) || areIds(v), expected: "an id or a list of ids" },
  },
  forcedEosTokenId: {
    rule: { valid: (v) => isWhole(0)(v) || areIds(v), expected: "an id or a list of ids" },
  },
  exponentialDecayLengthPenalty: {
    rule: {
      valid: (v) => isList(v) && v.length === 2 && isWhole(0)(v[0]) && within(1e-3, 1e3)(v[1]),
      expected: "a whole number and a factor",
    },
  },
  suppressTokens: { rule: IDS },
  beginSuppressTokens: { rule: IDS },
  renormalizeLogits: { rule: SWITCH },
  lookup: { rule: SWITCH },
} as const satisfies Record<string, About>;

export type OptionName = keyof typeof ABOUT;
const NAMES = Object.keys(ABOUT) as OptionName[];
const partOf = (name: OptionName): string | undefined => (ABOUT[name] as About).part;
const SAMPLING = NAMES.filter((name) => partOf(name) === "sampling");
const BEAMS = NAMES.filter((name) => partOf(name) === "beams");

/** Options that only who generates may have; what is streamed cannot be searched for. */
export const UNSTREAMED: readonly OptionName[] = [...BEAMS, "nBest"];

/** How texts are generated, checked; undefined is off. */
export interface Options {
  readonly temperature: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly minP?: number;
  readonly topH?: number;
  readonly typicalP?: number;
  readonly epsilonCutoff?: number;
  readonly etaCutoff?: number;
  readonly seed?: number;
  readonly numBeams: number;
  readonly nBest?: number;
  readonly lengthPenalty: number;
  readonly earlyStopping: boolean | "never";
  readonly logitBias?: Readonly<Record<string, number>>;
  readonly sequenceBias?: readonly (readonly [readonly number[], number])[];
  readonly repetitionPenalty?: number;
  readonly encoderRepetitionPenalty?: number;
  readonly noRepeatNgramSize?: number;
  readonly encoderNoRepeatNgramSize?: number;
  readonly badWordsIds?: readonly (readonly number[])[];
  readonly maxLength?: number;
  readonly minLength?: number;
  readonly minNewTokens?: number;
  readonly forcedBosTokenId?: number | readonly number[];
  readonly forcedEosTokenId?: number | readonly number[];
  readonly exponentialDecayLengthPenalty?: readonly [number, number];
  readonly suppressTokens?: readonly number[];
  readonly beginSuppressTokens?: readonly number[];
  readonly renormalizeLogits?: boolean;
  readonly lookup?: boolean;
}

type Values = Partial<Record<OptionName, unknown>>;

/** The name of Python's that a manifest has, as it is here. */
export function camelCase(name: string): string {
  return name.replaceAll(/_([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/**
 * Options of the caller over the bundle's recommendations. Options of sampling turn it on, at temperature 1. Raises USAGE
 * for an unknown option, an impossible value, and options that do not go together.
 */
export function chosenOptions(
  given: Readonly<Record<string, unknown>>,
  recommended: Readonly<Record<string, unknown>>,
): Options {
  const own: Values = {};
  for (const [name, value] of Object.entries(given)) {
    if (value === undefined || value === null) {
      continue;
    }
    if (!Object.hasOwn(ABOUT, name)) {
      throw SatchelError.usage(`unknown option ${shown(name)}; known: ${[...NAMES].sort().join(", ")}`);
    }
    own[name as OptionName] = value;
  }
  const defaults: Values = {};
  for (const [name, value] of Object.entries(recommended)) {
    const known = camelCase(name);
    if (value !== null && (Object.hasOwn(ABOUT, known) || known === "maxNewTokens")) {
      defaults[known as OptionName] = value;
    }
  }
  const merged: Values = { ...fitting(defaults, own), ...own };
  for (const [name, value] of Object.entries(merged)) {
    const { valid, expected } = ABOUT[name as OptionName].rule;
    if (!valid(value)) {
      throw SatchelError.usage(`${name} = ${shown(printed(value))}; expected ${expected}`);
    }
  }
  if (SAMPLING.some((name) => own[name] !== undefined) && (merged.temperature ?? 0) === 0) {
    merged.temperature = own.temperature ?? 1;
  }
  const changing = Object.entries(merged).filter(([name, value]) => {
    const { neutral } = ABOUT[name as OptionName] as About;
    return neutral === undefined || value !== neutral;
  });
  const options: Options = {
    ...{ temperature: 0, numBeams: 1, lengthPenalty: 1, earlyStopping: false },
    ...Object.fromEntries(changing),
  };
  if (options.nBest !== undefined && options.nBest > options.numBeams) {
    throw SatchelError.usage(`nBest = ${options.nBest} needs numBeams of at least as many`);
  }
  if (options.lookup === true && options.numBeams > 1) {
    throw SatchelError.usage(`lookup does not go with numBeams = ${options.numBeams}`);
  }
  return options;
}

function printed(value: unknown): string | number | boolean {
  return typeof value === "object" ? JSON.stringify(value) : (value as string);
}

/** The defaults that fit what the caller chose: beams, or a choice token by token. */
function fitting(defaults: Values, own: Values): Values {
  const sampled = SAMPLING.filter((name) => own[name] !== undefined);
  if (own.temperature === 0 && sampled.length > 1) {
    throw SatchelError.usage(`${sampled[1]} has no effect at temperature 0, which is greedy`);
  }
  const count = own.numBeams ?? (sampled.length > 0 ? 1 : (defaults.numBeams ?? 1));
  if (count === 1) {
    const idle = BEAMS.slice(1).find((name) => own[name] !== undefined);
    if (idle !== undefined) {
      throw SatchelError.usage(`${idle} has no effect without numBeams of 2 or more`);
    }
  } else if (sampled.length > 0) {
    throw SatchelError.usage(
      `${sampled[0]} does not go with numBeams = ${shown(printed(count))}: beams do not sample`,
    );
  }
  if (own.minLength !== undefined && own.minNewTokens !== undefined) {
    throw SatchelError.usage("minLength and minNewTokens say the same: give one");
  }
  const dropped = new Set<string>(count === 1 ? BEAMS : SAMPLING);
  if ("maxNewTokens" in defaults && own.maxLength === undefined) {
    dropped.add("maxLength");
  }
  if (own.minLength !== undefined || own.minNewTokens !== undefined) {
    dropped.add("minLength").add("minNewTokens");
  }
  dropped.add("maxNewTokens");
  return Object.fromEntries(Object.entries(defaults).filter(([name]) => !dropped.has(name)));
}
