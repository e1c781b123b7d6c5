/**
 * What an app holds of a speech model: sound in, text with its times out. With timestamps the next window begins where the last
 * segment written to its end has ended (Radford et al., 2022, section 3.8).
 */
import type { Bundle } from "./bundle/bundle.js";
import type { Speech } from "./bundle/manifest.js";
import { Decoder, type Sources } from "./decoder/run.js";
import { SatchelError, shown } from "./errors.js";
import { chosenOptions, type OptionName, type Options } from "./generate/options.js";
import type { EngineInfo, Segment, Sound, SpeechModel, TranscribeOptions, Transcript } from "./models.js";
import { near } from "./seq2seq/languages.js";
import type { Engine, Graph } from "./session/session.js";
import { AudioFormat, type Features } from "./speech/audio-format.js";
import { codeOf, HEARD, namesOf } from "./speech/spoken.js";
import { type Cut, type Cuts, Timestamps } from "./speech/timestamps.js";
import { waveform } from "./speech/waveform.js";
import { lent, limitOf, readWindow, written } from "./speech/windows.js";
import { openGraphs, TaskModel } from "./task-model.js";
import { strip } from "./text/blank.js";
import { Tokenizer } from "./tokenizer/tokenizer.js";

const UNFIT: readonly OptionName[] = [
  "nBest",
  "encoderRepetitionPenalty",
  "encoderNoRepeatNgramSize",
  "maxLength",
];

export async function openSpeech(bundle: Bundle, engine: Engine): Promise<SpeechModel> {
  const form = new AudioFormat(bundle.manifest.audio ?? {});
  const tokenizer = Tokenizer.parse(await bundle.tokenizer());
  checkFeatures(bundle, form);
  return new Listener(bundle, engine, await openGraphs(bundle, engine), tokenizer, form);
}

function checkFeatures(bundle: Bundle, form: AudioFormat): void {
  const made = [1, form.mels, form.windowFrames].join(", ");
  const read = bundle.manifest.graphs["encoder"]!.inputs.map(({ axes }) => axes.join(", ")).join("; ");
  if (read !== made) {
    throw SatchelError.bundle(`manifest.json: audio makes [${made}], the encoder reads [${read}]`);
  }
}

/** What a caller asked for, checked. */
interface Asked {
  readonly samples: Float32Array;
  readonly task: string;
  readonly timestamps: Timestamps | null;
  readonly options: Options;
  readonly maxNewTokens: number | undefined;
  readonly signal: AbortSignal | undefined;
  language: string | null;
}

class Listener extends TaskModel implements SpeechModel {
  private readonly decoder: Decoder;
  private readonly speech: Speech;
  /** The rules of this model's timestamps. */
  private readonly times: Timestamps | null;
  /** Frames of a step of time. */
  private readonly stride: number;

  constructor(
    bundle: Bundle,
    engine: Engine & EngineInfo,
    graphs: Readonly<Record<string, Graph>>,
    private readonly tokenizer: Tokenizer,
    private readonly form: AudioFormat,
  ) {
    super(bundle, engine, graphs);
    const { tokens, seq2seq } = this.manifest;
    this.speech = this.manifest.speech!;
    this.decoder = new Decoder(engine, graphs["decoder"]!, this.manifest);
    this.stride = Math.floor(form.windowFrames / seq2seq!.source_context);
    const { no_timestamps: none, latest_start: latest } = this.speech;
    this.times = none === null ? null : new Timestamps(none + 1, Math.min(...tokens.eos), latest);
  }

  /** Samples per second that the model hears. */
  get rate(): number {
    return this.form.samplingRate;
  }

  async transcribe(sound: Sound, options: TranscribeOptions = {}): Promise<Transcript> {
    this.checkMethod("transcribe");
    const segments = this.transcribeStream(sound, options);
    for (;;) {
      const { done, value } = await segments.next();
      if (done === true) {
        return value;
      }
    }
  }

  /** The segments of a sound, one after the other; what it returns in the end is the whole. */
  async *transcribeStream(
    sound: Sound,
    options: TranscribeOptions = {},
  ): AsyncGenerator<Segment, Transcript, void> {
    this.checkMethod("transcribeStream");
    const asked = this.asked(sound, options);
    const { samples } = asked;
    const segments: Segment[] = [];
    const { hopLength, windowSamples, windowFrames } = this.form;
    const features = this.features(samples, windowSamples, true);
    const frames = Math.ceil(samples.length / hopLength);
    for (let place = 0; place < frames; ) {
      const heard = samples.subarray(place * hopLength, place * hopLength + windowSamples);
      const steps = Math.ceil(Math.min(frames - place, windowFrames) / this.stride);
      // In silence the model would hear what is not there.
      const { cuts, following } = heard.some((sample) => sample !== 0)
        ? await this.write(features, place, steps, asked)
        : { cuts: [], following: steps };
      for (const cut of cuts) {
        const segment = this.segment(cut, place, samples.length);
        if (segment !== undefined) {
          segments.push(segment);
          yield segment;
        }
      }
      place += following * this.stride;
    }
    const text = this.textOf(segments.flatMap(({ tokens }) => [...tokens]));
    return { text, language: asked.language, duration: samples.length / this.rate, segments };
  }

  /** The probability of each language by the first window of a sound, the likeliest first. */
  async detectLanguage(
    sound: Sound,
    options: { sampleRate?: number; signal?: AbortSignal } = {},
  ): Promise<Record<string, number>> {
    this.checkMethod("detectLanguage");
    if (Object.keys(this.speech.languages).length === 0) {
      throw SatchelError.usage("this model knows one language");
    }
    const samples = waveform(sound, this.rate, options.sampleRate).subarray(0, this.form.windowSamples);
    const sources = await this.read(this.form.logMel(samples), 0);
    try {
      return await this.languagesOf(sources, options.signal);
    } finally {
      sources.dispose();
    }
  }

  /** The bands of a sound's spectrogram, behind it so many silent samples. */
  features(sound: Float32Array, silence: number): Float32Array[];
  features(sound: Float32Array, silence: number, whole: true): Features;
  features(sound: Float32Array, silence: number, whole = false): Features | Float32Array[] {
    const features = this.form.logMel(sound, silence);
    return whole ? features : features.bands;
  }

  private asked(sound: Sound, given: TranscribeOptions): Asked {
    const { sampleRate, language, task, timestamps, maxNewTokens, signal, stop, ...options } = given;
    const samples = waveform(sound, this.rate, sampleRate);
    if (timestamps !== undefined && timestamps !== null && typeof timestamps !== "boolean") {
      throw SatchelError.usage(`timestamps = ${shown(timestamps)}; expected true or false`);
    }
    const wanted = timestamps ?? this.speech.timestamps;
    if (wanted && this.times === null) {
      throw SatchelError.usage("this model writes no timestamps");
    }
    const named = options as Readonly<Record<string, unknown>>;
    const unfit = UNFIT.find((name) => named[name] !== undefined && named[name] !== null);
    if (unfit !== undefined || (stop !== undefined && stop !== null)) {
      throw SatchelError.usage(`${unfit ?? "stop"} has no effect on a transcript`);
    }
    if (maxNewTokens !== undefined && maxNewTokens !== null) {
      if (!Number.isInteger(maxNewTokens) || maxNewTokens < 1) {
        throw SatchelError.usage(`maxNewTokens = ${shown(maxNewTokens)}; expected at least 1`);
      }
    }
    const advice = Object.entries(this.manifest.generation).filter(
      ([name]) => !UNFIT.some((other) => snakeCase(other) === name),
    );
    return {
      ...{ samples, signal, task: this.taskNamed(task), language: this.languageNamed(language) },
      // Of a longer sound they say where the next window begins.
      timestamps: wanted || samples.length > this.form.windowSamples ? this.times : null,
      options: chosenOptions(named, Object.fromEntries(advice)),
      maxNewTokens: maxNewTokens ?? undefined,
    };
  }

  private async read(features: Features, place: number): Promise<Sources> {
    const { mels, windowFrames } = this.form;
    const window = features.window(place, windowFrames);
    return readWindow(this.engine, this.graphs["encoder"]!, window, [mels, windowFrames]);
  }

  private async write(features: Features, place: number, steps: number, asked: Asked): Promise<Cuts> {
    const { timestamps, signal } = asked;
    signal?.throwIfAborted();
    const sources = await this.read(features, place);
    try {
      if (asked.language === null && Object.keys(this.speech.languages).length > 0) {
        asked.language = Object.keys(await this.languagesOf(sources, signal))[0]!;
      }
      const prompt = this.prompt(asked.language, asked.task, timestamps !== null);
      const limit = limitOf(this.manifest, prompt.length, asked.maxNewTokens);
      const tokens = await written(this.decoder, sources, { ...asked, prompt, limit });
      const one = { cuts: [{ start: 0, end: steps, tokens }], following: steps };
      return timestamps?.cut(tokens, steps) ?? one;
    } finally {
      sources.dispose();
    }
  }

  private async languagesOf(sources: Sources, signal?: AbortSignal): Promise<Record<string, number>> {
    const run = this.decoder.start(1, lent(sources), signal);
    try {
      const [logits] = await run.append([this.manifest.seq2seq!.start]);
      const found = Object.entries(this.speech.languages).map(([code, id]) => [code, logits![id]!] as const);
      const best = Math.max(...found.map(([, logit]) => logit));
      const weights = found.map(([code, logit]) => [code, Math.exp(Math.fround(logit - best))] as const);
      const mass = weights.reduce((sum, [, weight]) => sum + weight, 0);
      const chances = weights.map(([code, weight]) => [code, Math.fround(weight / mass)] as const);
      return Object.fromEntries([...chances].sort(([, a], [, b]) => b - a));
    } finally {
      run.dispose();
    }
  }

  /** The ids that a window's text begins with. */
  private prompt(language: string | null, task: string, timed: boolean): number[] {
    const { languages, tasks, no_timestamps: none } = this.speech;
    const told = language === null ? [] : [languages[language]!, tasks[task]!];
    return [this.manifest.seq2seq!.start, ...told, ...(timed || none === null ? [] : [none])];
  }

  /** The text of ids, without timestamps and special tokens. */
  private textOf(tokens: readonly number[]): string {
    const first = this.times?.first ?? this.tokenizer.vocabularySize;
    return strip(this.tokenizer.decode(tokens.filter((token) => token < first)));
  }

  /** The segment with its times in the whole sound, unless it says nothing or lies behind. */
  private segment(cut: Cut, place: number, samples: number): Segment | undefined {
    const text = this.textOf(cut.tokens);
    const seconds = (steps: number) => ((place + steps * this.stride) * this.form.hopLength) / this.rate;
    const last = samples / this.rate;
    const start = seconds(cut.start);
    if (text === "" || start >= last) {
      return undefined;
    }
    return {
      start: rounded(start),
      end: rounded(Math.min(seconds(cut.end), last)),
      text,
      tokens: cut.tokens,
    };
  }

  /** The code of a language that is asked for, null where it has to be heard or there is but one. */
  private languageNamed(asked: unknown): string | null {
    const known = Object.keys(this.speech.languages);
    if (asked === undefined || asked === null) {
      return this.speech.language;
    }
    const named = `language = ${shown(asked, 40)}`;
    if (typeof asked !== "string") {
      throw SatchelError.usage(`${named}; expected a text`);
    }
    if (known.length === 0) {
      throw SatchelError.usage(`${named}; this model knows one language`);
    }
    if (asked.toLowerCase() === HEARD) {
      return null;
    }
    const code = codeOf(asked, known);
    if (code === undefined) {
      throw SatchelError.usage(`${named} is unknown; ${near(asked, [HEARD, ...namesOf(known)])}`);
    }
    return code;
  }

  private taskNamed(asked: unknown): string {
    const { tasks, task } = this.speech;
    if (asked === undefined || asked === null) {
      return task;
    }
    const named = `task = ${shown(asked)}`;
    if (Object.keys(tasks).length === 0) {
      throw SatchelError.usage(`${named}; this model only transcribes`);
    }
    if (typeof asked !== "string" || !Object.hasOwn(tasks, asked)) {
      throw SatchelError.usage(`${named}; known: ${Object.keys(tasks).join(", ")}`);
    }
    return asked;
  }
}

/** Seconds with two digits, as Python rounds: of a half to the even one. */
function rounded(seconds: number): number {
  const half = (seconds * 8) % 2 === 1; // two digits and a half in full
  const digits = Math.floor(seconds * 100);
  return half ? (digits + (digits % 2)) / 100 : Number(seconds.toFixed(2));
}

function snakeCase(name: string): string {
  return name.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}
