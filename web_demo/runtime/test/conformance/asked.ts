/** One request put to a bundle, by kind: see docs/conformance.md. Knows no file. */
import { SatchelError } from "../../src/errors.js";
import { camelCase } from "../../src/generate/options.js";
import type { AnyModel, Classification, Generation } from "../../src/models.js";
import { TextPieces } from "../../src/text/text-stream.js";
import type { Tokenizer } from "../../src/tokenizer/tokenizer.js";
import { madeImage, madeSound, madeText, madeTexts } from "./made-inputs.js";

export type Given = Readonly<Record<string, unknown>>;
type Kind = (model: Asked, given: Given) => Promise<unknown>;

/** A model with all that it may be asked, for its tokenizer too. */
export interface Asked {
  readonly manifest: AnyModel["manifest"];
  readonly tokenizer: Tokenizer;
  // biome-ignore lint/suspicious/noExplicitAny: what a model of another task lacks is found out when it is called
  readonly model: any;
}

const SHOWN = 24;

const written: Kind = async ({ model }, given) => {
  const rows = (await model.generate(
    (given.prompts as unknown[]).map(prompt),
    optionsOf(given),
  )) as unknown[];
  const lists = rows.map((row) => (Array.isArray(row) ? row : [row]) as Generation[]);
  return { generations: lists.map((row) => row.map(generation)) };
};

export const KINDS: Readonly<Record<string, Kind>> = {
  encode: async ({ tokenizer }, given) => {
    const pair = given.pair === undefined || given.pair === null ? undefined : madeText(given.pair);
    return tokenizer.encode(madeText(given.text), given.special_tokens as boolean, pair);
  },
  decode: async ({ tokenizer }, given) => ({
    text: tokenizer.decode(given.ids as number[], given.skip_special_tokens as boolean),
  }),
  pieces: async ({ tokenizer }, given) => {
    const stream = new TextPieces(tokenizer, (given.stop as string[] | undefined) ?? []);
    const pieces: string[] = [];
    for (const id of given.ids as number[]) {
      pieces.push(stream.add(id));
      if (stream.stopped) {
        break;
      }
    }
    pieces.push(stream.close());
    return { pieces, stopped: stream.stopped };
  },
  source: async ({ model }, given) => ({
    ids: model.encodeSource(
      madeText(given.text),
      given.source_lang ?? undefined,
      given.target_lang ?? undefined,
    ),
  }),
  logits: async ({ model }, given) => {
    const rows = "source" in given ? model.logits(given.source, given.target) : model.logits(given.ids);
    return summary((await rows) as Float32Array[]);
  },
  score: async ({ model }, given) => {
    const { tokens, logprobs } = await model.score(prompt(given.prompt));
    return { tokens, logprobs: [...logprobs] };
  },
  ...Object.fromEntries(
    ["greedy", "processors", "sampling", "beams", "stops", "batches"].map((kind) => [kind, written]),
  ),
  stream: async ({ model }, given) => {
    const stream = model.stream(prompt(given.prompt), optionsOf(given)) as AsyncGenerator<string, Generation>;
    const pieces: string[] = [];
    for (;;) {
      const { done, value } = await stream.next();
      if (done === true) {
        return { pieces, generation: generation(value) };
      }
      pieces.push(value);
    }
  },
  conversation: async ({ model }, given) => {
    model.checkMethod("chat");
    return { ids: model.encodeChat(messages(given)) };
  },
  chat: async ({ model }, given) => ({
    generation: generation(await model.chat(messages(given), optionsOf(given))),
  }),
  translate: async ({ model }, given) => {
    const languages = {
      sourceLang: given.source_lang ?? undefined,
      targetLang: given.target_lang ?? undefined,
    };
    return { texts: await model.translate(madeTexts(given.texts), { ...languages, ...optionsOf(given) }) };
  },
  embed: async ({ model, manifest }, given) => {
    const about = { prompt: given.prompt ?? undefined, window: given.window ?? undefined };
    return vectors(await model.embed(madeTexts(given.texts), about), widthOf(manifest));
  },
  states: async ({ model }, given) => summary(await model.hiddenStates(prompt(given.prompt))),
  classify: async ({ model }, given) => ({
    classifications: (
      await model.classify(madeTexts(given.texts), { prompt: given.prompt ?? undefined })
    ).map(plain),
  }),
  rank: async ({ model }, given) => ({
    ranked: await model.rank(madeText(given.query), madeTexts(given.passages), {
      prompt: given.prompt ?? undefined,
    }),
  }),
  tokens: async ({ model }, given) => {
    const texts = madeTexts(given.texts) as string[];
    const spans = (await model.tokens(texts, { window: given.window ?? undefined })) as Place[][];
    return { spans: spans.map((each, i) => each.map((span) => inCodePoints(span, texts[i]!))) };
  },
  answers: async ({ model }, given) => {
    const context = madeText(given.context);
    const about = { top: given.top, longest: given.longest };
    const answers = (await model.answers(madeText(given.question), context, about)) as (Place & {
      noAnswer: number;
    })[];
    return {
      answers: answers.map(({ noAnswer, ...answer }) => ({
        ...inCodePoints(answer, context),
        no_answer: noAnswer,
      })),
    };
  },
  fill_mask: async ({ model }, given) => ({
    filled: await model.fillMask(madeText(given.text), { top: given.top }),
  }),
  pixels: async ({ model }, given) => summary(model.pixels(madeImage(given.image as Given))),
  embed_images: async ({ model, manifest }, given) =>
    vectors(await model.embedImages((given.images as Given[]).map(madeImage)), widthOf(manifest)),
  classify_images: async ({ model }, given) => ({
    classifications: (await model.classifyImages((given.images as Given[]).map(madeImage))).map(plain),
  }),
  image_states: async ({ model }, given) =>
    summary(await model.imageHiddenStates(madeImage(given.image as Given))),
  features: async ({ model }, given) => {
    const { sha256: _, ...rest } = summary(
      model.features(madeSound(given.sound as Given, model.rate), given.silence ?? 0),
    );
    return rest;
  },
  transcribe: async ({ model }, given) => {
    model.checkMethod("transcribe");
    const names = ["language", "task", "timestamps"].filter(
      (name) => given[name] !== undefined && given[name] !== null,
    );
    const about = Object.fromEntries(names.map((name) => [name, given[name]]));
    const sound = madeSound(given.sound as Given, model.rate);
    return model.transcribe(sound, { sampleRate: model.rate, ...about, ...optionsOf(given) });
  },
  languages: async ({ model }, given) => {
    model.checkMethod("detectLanguage");
    const sound = madeSound(given.sound as Given, model.rate);
    return { languages: await model.detectLanguage(sound, { sampleRate: model.rate }) };
  },
  refused: async (asked, given) => {
    try {
      await KINDS[given.kind as string]!(asked, given.input as Given);
    } catch (error) {
      if (error instanceof SatchelError) {
        return { code: error.code, exit_status: error.exitStatus };
      }
      throw error;
    }
    return { code: null, exit_status: 0 };
  },
};

interface Place {
  readonly start: number;
  readonly end: number;
}

/** From UTF-16 units to code points. */
function inCodePoints<T extends Place>(span: T, text: string): T {
  const points = (end: number) => [...text.slice(0, end)].length;
  return { ...span, start: points(span.start), end: points(span.end) };
}

function prompt(given: unknown): unknown {
  return Array.isArray(given) ? given : madeText(given);
}

function messages(given: Given): unknown {
  const list = given.messages;
  return Array.isArray(list)
    ? list.map((message) =>
        typeof message === "object" && message !== null && "content" in message
          ? { ...message, content: madeText(message.content) }
          : message,
      )
    : list;
}

function optionsOf(given: Given): Record<string, unknown> {
  const named = Object.entries((given.options as Given | undefined) ?? {});
  const options: Record<string, unknown> = Object.fromEntries(
    named.map(([name, value]) => [camelCase(name), value]),
  );
  if ("max_new_tokens" in given) {
    options.maxNewTokens = given.max_new_tokens;
  }
  if ("stop" in given) {
    options.stop = given.stop;
  }
  return options;
}

function generation(one: Generation): unknown {
  const { text, tokens, finishReason, promptTokens, logprobs, score } = one;
  return { text, tokens, finish_reason: finishReason, prompt_tokens: promptTokens, logprobs, score };
}

function plain({ label, score, scores }: Classification): unknown {
  return { label, score, scores };
}

/** How many numbers a vector has. */
function widthOf({ graphs }: Asked["manifest"]): number {
  const entry = graphs.text ?? graphs.encoder ?? graphs.image;
  return Number(entry!.outputs.at(-1)!.axes.at(-1));
}

function vectors(rows: readonly Float32Array[], width: number): unknown {
  return { shape: [rows.length, rows[0]?.length ?? width], vectors: rows.map((row) => [...row]) };
}

/** Shape and some numbers of an array; rows of one length. */
function summary(rows: readonly Float32Array[] & { shape?: number[] }): Record<string, unknown> {
  const width = rows[0]!.length;
  const size = rows.length * width;
  const at = (place: number) => rows[Math.floor(place / width)]![place % width]!;
  const shape = rows.shape ?? [rows.length, width];
  const last = shape.at(-1)!;
  let best = size - last;
  for (let place = best; place < size; place++) {
    best = at(place) > at(best) ? place : best;
  }
  const spread = Array.from({ length: SHOWN }, (_, i) => Math.floor((i * (size - 1)) / (SHOWN - 1)));
  const places = [...new Set([...spread, best])].sort((a, b) => a - b);
  return { shape, sha256: "", places, values: places.map(at) };
}
