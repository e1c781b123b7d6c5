/** What every model that writes has: prompts in, generated text out, whole or piece by piece. */
import type { Bundle } from "./bundle/bundle.js";
import { readsAheadExactly } from "./bundle/manifest.js";
import { checkedIds, type Decoder, type Run } from "./decoder/run.js";
import { SatchelError, shown } from "./errors.js";
import { beamSearch, type Search } from "./generate/beams.js";
import { Lookup } from "./generate/lookup.js";
import { generate, type Row } from "./generate/loop.js";
import { chosenOptions, type Options } from "./generate/options.js";
import { type Processor, processorsOf } from "./generate/processors.js";
import { Sampler } from "./generate/sampler.js";
import type { EngineInfo, GenerateOptions, Generation, Prompt, TextStream } from "./models.js";
import type { Engine, Graph } from "./session/session.js";
import { TaskModel } from "./task-model.js";
import { TextPieces } from "./text/text-stream.js";
import type { Tokenizer } from "./tokenizer/tokenizer.js";

const MAX_NEW_TOKENS = 512; // where neither the caller nor the bundle says
const MAX_STOP_STRINGS = 16;
const MAX_STOP_LENGTH = 256;
const CHARACTERS_PER_TOKEN = 32; // no text of a context's length has more; longer is refused unread

/** What a caller asked for, checked. */
interface Asked {
  readonly options: Options;
  readonly maxNewTokens: number | null | undefined;
  readonly stop: readonly string[];
  /** Whether the caller named the stop strings. */
  readonly stopGiven: boolean;
  readonly signal: AbortSignal | undefined;
}

export abstract class WritingModel extends TaskModel {
  /** Tokens of a prompt. */
  protected promptLimit: number;

  constructor(
    bundle: Bundle,
    engine: Engine & EngineInfo,
    graphs: Readonly<Record<string, Graph>>,
    protected readonly tokenizer: Tokenizer,
    protected readonly decoder: Decoder,
  ) {
    super(bundle, engine, graphs);
    this.promptLimit = this.manifest.context;
  }

  async *stream(prompt: Prompt, options: GenerateOptions = {}): TextStream {
    this.checkMethod("stream");
    const asked = this.streamable(options);
    const ids = this.ids(prompt);
    return yield* this.pieces(ids, asked, await this.lease([ids], asked.signal));
  }

  // biome-ignore lint/suspicious/noExplicitAny: the overloads of the interface say what comes of what
  async generate(prompt: any, options: GenerateOptions = {}): Promise<any> {
    this.checkMethod("generate");
    const many = Array.isArray(prompt) && prompt.length > 0 && typeof prompt[0] !== "number";
    const prompts = many ? (prompt as readonly Prompt[]) : [prompt as Prompt];
    const asked = this.asked(options);
    const found = await this.written(
      prompts.map((each) => this.ids(each)),
      asked,
    );
    const listed = asked.options.nBest !== undefined;
    const generations = found.map((rows) => (listed ? rows : rows[0]!));
    return many ? generations : generations[0];
  }

  /** What is written for each of some prompts: one text, or those of a search. */
  protected async written(prompts: readonly (readonly number[])[], asked: Asked): Promise<Generation[][]> {
    const { options } = asked;
    if (options.numBeams > 1) {
      if (asked.stopGiven && asked.stop.length > 0) {
        throw SatchelError.usage(`stop does not go with numBeams = ${options.numBeams}`);
      }
      return this.search(prompts, asked);
    }
    const rows = prompts.map((ids) => this.row(ids, asked, true));
    if (options.lookup === true && rows.length > 1) {
      throw SatchelError.usage(`lookup is for one prompt at a time; got ${rows.length}`);
    }
    const run = await this.lease(prompts, asked.signal);
    const texts = rows.map(() => "");
    try {
      for await (const [number, piece] of this.told(run, rows, asked.stop)) {
        texts[number] += piece;
      }
    } finally {
      run.dispose();
    }
    return rows.map((row, i) => [generationOf(row, texts[i]!)]);
  }

  /** The pieces of one text; `run` is disposed of unless it is kept. */
  protected async *pieces(ids: readonly number[], asked: Asked, run: Run, kept = false): TextStream {
    const row = this.row(ids, asked, false);
    let text = "";
    try {
      for await (const [, piece] of this.told(run, [row], asked.stop)) {
        text += piece;
        yield piece;
      }
    } finally {
      if (!kept) {
        run.dispose();
      }
    }
    return generationOf(row, text);
  }

  /** [row, piece of text] as texts come. */
  private async *told(
    run: Run,
    rows: readonly Row[],
    stop: readonly string[],
  ): AsyncGenerator<[number, string]> {
    const streams = rows.map(() => new TextPieces(this.tokenizer, stop));
    for await (const [number, token] of generate(run, rows, new Set(this.manifest.tokens.eos))) {
      const stream = streams[number]!;
      const piece = stream.add(token);
      if (stream.stopped) {
        rows[number]!.finishReason = "stop";
      }
      if (piece !== "") {
        yield [number, piece];
      }
    }
    for (const [number, stream] of streams.entries()) {
      const rest = stream.close();
      if (rest !== "") {
        yield [number, rest];
      }
      if (stream.stopped) {
        rows[number]!.finishReason = "stop";
      }
    }
  }

  private async search(prompts: readonly (readonly number[])[], asked: Asked): Promise<Generation[][]> {
    const { options } = asked;
    const { vocab_size: size, tokens } = this.manifest;
    if (options.numBeams > size) {
      throw SatchelError.usage(`numBeams = ${options.numBeams}; the vocabulary has ${size} ids`);
    }
    const searches: Search[] = prompts.map((ids) => ({ ...this.beginning(ids, asked), found: [] }));
    const run = await this.lease(prompts, asked.signal);
    try {
      await beamSearch(run, searches, options, tokens.eos);
    } finally {
      run.dispose();
    }
    return searches.map(({ found }, i) =>
      found.slice(0, options.nBest ?? 1).map(({ tokens: written, score, finishReason }) => ({
        text: this.tokenizer.decode(written),
        tokens: [...written],
        finishReason,
        logprobs: [],
        promptTokens: prompts[i]!.length,
        score,
        lookedUp: 0,
      })),
    );
  }

  private row(ids: readonly number[], asked: Asked, logprobs: boolean): Row {
    const { prompt, processors, limit } = this.beginning(ids, asked);
    const ahead = asked.options.lookup ?? readsAheadExactly(this.manifest);
    return {
      ...{ prompt, limit, promptTokens: ids.length, tokens: [], finishReason: null, lookedUp: 0 },
      sampler: new Sampler(asked.options, processors),
      logprobs: logprobs ? [] : undefined,
      lookup: ahead ? new Lookup(ids) : undefined,
    };
  }

  private beginning(
    ids: readonly number[],
    asked: Asked,
  ): { prompt: readonly number[]; processors: Processor[]; limit: number } {
    const prompt = this.before(ids);
    const limit = this.limit(prompt.length, asked);
    const { vocab_size: vocabSize, tokens } = this.manifest;
    const about = { vocabSize, eos: tokens.eos, start: prompt.length, limit, source: ids };
    return { prompt, processors: processorsOf(asked.options, about), limit };
  }

  protected asked(given: GenerateOptions): Asked {
    const { maxNewTokens, stop, signal, ...options } = given;
    if (maxNewTokens !== undefined && maxNewTokens !== null) {
      if (!Number.isInteger(maxNewTokens)) {
        throw SatchelError.usage(`maxNewTokens = ${shown(String(maxNewTokens))}; expected a whole number`);
      }
      if (maxNewTokens < 0) {
        throw SatchelError.usage(`maxNewTokens = ${maxNewTokens}; expected 0 or more`);
      }
      if (options.maxLength !== undefined) {
        throw SatchelError.usage("maxLength and maxNewTokens say the same: give one");
      }
      if ((options.minNewTokens ?? 0) > maxNewTokens) {
        throw SatchelError.usage(
          `minNewTokens = ${options.minNewTokens} is above maxNewTokens = ${maxNewTokens}`,
        );
      }
    }
    const { generation } = this.manifest;
    const usual = (generation.stop_strings as string[] | undefined) ?? [];
    return {
      options: chosenOptions(options, generation),
      maxNewTokens,
      stop: stopStrings(stop ?? usual),
      stopGiven: stop !== undefined && stop !== null,
      signal,
    };
  }

  protected streamable(given: GenerateOptions): Asked {
    const asked = this.asked(given);
    if (asked.options.numBeams > 1 || asked.options.nBest !== undefined) {
      throw SatchelError.usage(
        `numBeams = ${asked.options.numBeams}: a beam search cannot be streamed; use generate, or numBeams = 1 ` +
          "without nBest",
      );
    }
    return asked;
  }

  /** Ids of a prompt. */
  protected ids(prompt: Prompt): readonly number[] {
    if (typeof prompt === "string") {
      const ids = prompt === "" ? [] : this.encode(prompt);
      return checkedIds(ids, this.manifest.vocab_size);
    }
    if (!Array.isArray(prompt) && !ArrayBuffer.isView(prompt)) {
      throw SatchelError.usage(`expected a text or ids, got ${prompt === null ? "null" : typeof prompt}`);
    }
    return checkedIds(Array.from(prompt as readonly number[]), this.manifest.vocab_size);
  }

  /** Refuses what must not reach the tokenizer. */
  protected checkText(text: string): void {
    if (typeof text !== "string") {
      throw SatchelError.usage(`expected a text, got ${text === null ? "null" : typeof text}`);
    }
    const length = [...text].length;
    if (length > CHARACTERS_PER_TOKEN * this.promptLimit) {
      throw SatchelError.limit(
        `the prompt has ${length} characters, far more than a context of ${this.promptLimit} tokens holds`,
        "PROMPT_TOO_LONG",
      );
    }
  }

  private limit(promptTokens: number, { maxNewTokens, options }: Asked): number {
    const room = this.manifest.context - promptTokens;
    if (room < 1) {
      throw SatchelError.limit(
        `the prompt has ${promptTokens} tokens, the bundle's context is ${this.manifest.context}: shorten it`,
        "PROMPT_TOO_LONG",
      );
    }
    if (maxNewTokens === undefined && options.maxLength !== undefined) {
      const left = options.maxLength - promptTokens;
      if (left < 1) {
        throw SatchelError.usage(`maxLength = ${options.maxLength}; the prompt has ${promptTokens} tokens`);
      }
      return Math.min(room, left);
    }
    if (maxNewTokens === null) {
      return room;
    }
    const usual = this.manifest.generation.max_new_tokens as number | null | undefined;
    const most = maxNewTokens === undefined ? (usual === undefined ? MAX_NEW_TOKENS : usual) : maxNewTokens;
    return most === null ? room : Math.min(room, most);
  }

  /** Ids of a text, with what the checkpoint's tokenizer adds. */
  protected abstract encode(text: string): readonly number[];

  /** The ids that the decoder's text begins with, for the ids of a prompt. */
  protected abstract before(ids: readonly number[]): readonly number[];

  /** A run for the ids of these prompts. */
  protected abstract lease(
    prompts: readonly (readonly number[])[],
    signal: AbortSignal | undefined,
  ): Promise<Run>;
}

function generationOf(row: Row, text: string): Generation {
  return {
    text,
    tokens: [...row.tokens],
    finishReason: row.finishReason ?? "cancelled",
    logprobs: [...(row.logprobs ?? [])],
    promptTokens: row.promptTokens,
    score: null,
    lookedUp: row.lookedUp,
  };
}

function stopStrings(stop: string | readonly string[]): readonly string[] {
  const strings = typeof stop === "string" ? [stop] : [...stop];
  for (const text of strings) {
    const length = typeof text === "string" ? [...text].length : 0;
    if (length < 1 || length > MAX_STOP_LENGTH) {
      throw SatchelError.usage(
        `stop string ${shown(String(text))}; expected 1 to ${MAX_STOP_LENGTH} characters`,
      );
    }
  }
  if (strings.length > MAX_STOP_STRINGS) {
    throw SatchelError.usage(`${strings.length} stop strings; at most ${MAX_STOP_STRINGS}`);
  }
  return strings;
}
