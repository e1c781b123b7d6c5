/** What a user holds of a loaded bundle, and what it answers. A model in a worker has the same methods. */
import type { Manifest } from "./bundle/manifest.js";

/** A text, or ids. */
export type Prompt = string | readonly number[];

export interface Message {
  readonly role: string;
  readonly content: string;
}

/** One finished text. */
export interface Generation {
  /** Without special tokens and a stop string. */
  readonly text: string;
  /** The new ids, without the id that ended the text. */
  readonly tokens: readonly number[];
  readonly finishReason: "eos" | "stop" | "length" | "cancelled";
  /** The model's own log-probabilities of the tokens; a stream and a beam search leave them out. */
  readonly logprobs: readonly number[];
  readonly promptTokens: number;
  /** Of a beam search, by which the best is chosen. */
  readonly score: number | null;
  /** Tokens that were read ahead, each of them a step saved. */
  readonly lookedUp: number;
}

/** What can be said of how a text is chosen; what is not given is what the bundle recommends. */
export interface GenerateOptions {
  /** Null means until the context is full. */
  readonly maxNewTokens?: number | null | undefined;
  /** Texts that end a text; by default those that the bundle recommends. */
  readonly stop?: string | readonly string[] | undefined;
  /** Ends a text within a step. */
  readonly signal?: AbortSignal | undefined;
  readonly temperature?: number | undefined;
  readonly topK?: number | undefined;
  readonly topP?: number | undefined;
  readonly minP?: number | undefined;
  readonly topH?: number | undefined;
  readonly typicalP?: number | undefined;
  readonly epsilonCutoff?: number | undefined;
  readonly etaCutoff?: number | undefined;
  readonly seed?: number | undefined;
  readonly numBeams?: number | undefined;
  readonly nBest?: number | undefined;
  readonly lengthPenalty?: number | undefined;
  readonly earlyStopping?: boolean | "never" | undefined;
  readonly logitBias?: Readonly<Record<number, number>> | undefined;
  readonly sequenceBias?: readonly (readonly [readonly number[], number])[] | undefined;
  readonly repetitionPenalty?: number | undefined;
  readonly encoderRepetitionPenalty?: number | undefined;
  readonly noRepeatNgramSize?: number | undefined;
  readonly encoderNoRepeatNgramSize?: number | undefined;
  readonly badWordsIds?: readonly (readonly number[])[] | undefined;
  readonly maxLength?: number | undefined;
  readonly minLength?: number | undefined;
  readonly minNewTokens?: number | undefined;
  readonly forcedBosTokenId?: number | readonly number[] | undefined;
  readonly forcedEosTokenId?: number | readonly number[] | undefined;
  readonly exponentialDecayLengthPenalty?: readonly [number, number] | undefined;
  readonly suppressTokens?: readonly number[] | undefined;
  readonly beginSuppressTokens?: readonly number[] | undefined;
  readonly renormalizeLogits?: boolean | undefined;
  readonly lookup?: boolean | undefined;
}

/** Pieces of text as they are written; what it returns in the end is the whole. */
export type TextStream = AsyncGenerator<string, Generation, void>;

export interface EngineInfo {
  readonly name: string;
  readonly version: string;
  readonly threads: number;
}

/** What every loaded bundle is. */
export interface Model {
  readonly manifest: Manifest;
  readonly engine: EngineInfo;
  /** Gives back all memory. */
  close(): Promise<void>;
}

/** What a decoder alone and one behind an encoder have in common. */
export interface TextModel extends Model {
  generate(prompt: Prompt, options: GenerateOptions & { nBest: number }): Promise<Generation[]>;
  generate(prompt: Prompt, options?: GenerateOptions): Promise<Generation>;
  generate(prompts: readonly Prompt[], options: GenerateOptions & { nBest: number }): Promise<Generation[][]>;
  generate(prompts: readonly Prompt[], options?: GenerateOptions): Promise<Generation[]>;
  stream(prompt: Prompt, options?: GenerateOptions): TextStream;
}

/** How likely a text is: `logprobs[i]` is that of `tokens[i + 1]` after those before it. */
export interface Score {
  readonly tokens: readonly number[];
  readonly logprobs: Float32Array;
  readonly perplexity: number;
}

export interface DecoderModel extends TextModel {
  chat(messages: readonly Message[], options?: GenerateOptions): Promise<Generation>;
  streamChat(messages: readonly Message[], options?: GenerateOptions): TextStream;
  score(prompt: Prompt): Promise<Score>;
}

export interface TranslateOptions extends GenerateOptions {
  readonly sourceLang?: string | undefined;
  readonly targetLang?: string | undefined;
}

export interface Seq2seqModel extends TextModel {
  translate(text: string, options?: TranslateOptions): Promise<string>;
  translate(texts: readonly string[], options?: TranslateOptions): Promise<string[]>;
}

/** A text, or two that are read together. */
export type TextOrPair = string | readonly [string, string];

/** The likeliest label, its score, and the scores of all labels. */
export interface Classification {
  readonly label: string;
  readonly score: number;
  readonly scores: Readonly<Record<string, number>>;
}

/** A passage's place in the list it came from, and how well it answers the query. */
export interface Ranked {
  readonly index: number;
  readonly score: number;
}

/** A piece of a text: UTF-16 units `start` up to `end`, with a label and its score. */
export interface Span {
  readonly label: string;
  readonly text: string;
  readonly start: number;
  readonly end: number;
  readonly score: number;
}

/** The span of a context that answers a question; empty text where none does. */
export interface Answer {
  readonly text: string;
  readonly start: number;
  readonly end: number;
  readonly score: number;
  readonly noAnswer: number;
}

/** A token for a masked place, its probability, and the text with it filled in. */
export interface Filled {
  readonly token: string;
  readonly score: number;
  readonly text: string;
}

/** 8-bit RGB, or RGBA as a canvas has it, row after row. What is transparent is laid on white. */
export interface Pixels {
  readonly width: number;
  readonly height: number;
  readonly data: Uint8Array | Uint8ClampedArray;
}

interface Cancelled {
  readonly signal?: AbortSignal | undefined;
}

interface Prompted {
  readonly prompt?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

interface Windowed {
  readonly window?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface ImageModel extends Model {
  embedImages(images: Pixels | readonly Pixels[], options?: Cancelled): Promise<Float32Array[]>;
  classifyImages(images: Pixels | readonly Pixels[], options?: Cancelled): Promise<Classification[]>;
  /** The last layer's states, class token first if any. */
  imageHiddenStates(image: Pixels): Promise<Float32Array[]>;
}

export interface EncoderModel extends ImageModel {
  embed(
    texts: string | readonly string[],
    options?: Prompted & Windowed & { readonly dims?: number | undefined },
  ): Promise<Float32Array[]>;
  classify(text: TextOrPair, options?: Prompted): Promise<Classification>;
  classify(texts: readonly TextOrPair[], options?: Prompted): Promise<Classification[]>;
  rank(query: string, passages: readonly string[], options?: Prompted): Promise<Ranked[]>;
  tokens(text: string, options?: Windowed): Promise<Span[]>;
  tokens(texts: readonly string[], options?: Windowed): Promise<Span[][]>;
  answer(question: string, context: string, options?: { longest?: number }): Promise<Answer>;
  answers(question: string, context: string, options?: { top?: number; longest?: number }): Promise<Answer[]>;
  fillMask(text: string, options?: { top?: number }): Promise<Filled[]>;
}

/** A piece of a transcript, from `start` to `end` in seconds; `tokens` are its ids as written. */
export interface Segment {
  readonly start: number;
  readonly end: number;
  readonly text: string;
  readonly tokens: readonly number[];
}

/** What was said in `duration` seconds; `language` is null for a model of one language. */
export interface Transcript {
  readonly text: string;
  readonly language: string | null;
  readonly duration: number;
  readonly segments: readonly Segment[];
}

export interface TranscribeOptions extends GenerateOptions {
  /** Of an array of samples. */
  readonly sampleRate?: number | undefined;
  readonly language?: string | undefined;
  readonly task?: string | undefined;
  readonly timestamps?: boolean | undefined;
}

/** The bytes of a WAV file, or samples from -1 to 1. */
export type Sound = Uint8Array | Float32Array;

export interface SpeechModel extends Model {
  transcribe(sound: Sound, options?: TranscribeOptions): Promise<Transcript>;
  /** Segments as they are written; what it returns in the end is the whole. */
  transcribeStream(sound: Sound, options?: TranscribeOptions): AsyncGenerator<Segment, Transcript, void>;
  detectLanguage(
    sound: Sound,
    options?: { sampleRate?: number; signal?: AbortSignal },
  ): Promise<Record<string, number>>;
}

export type AnyModel = DecoderModel | Seq2seqModel | EncoderModel | ImageModel | SpeechModel;
