/** What an app holds of an encoder: vectors, labels, spans and answers of texts. */
import type { Bundle } from "./bundle/bundle.js";
import { TextEncoder } from "./encoder/graph.js";
import { activated, classified } from "./encoder/scores.js";
import { assembled, bestAnswers, mergeLabels } from "./encoder/spans.js";
import { Preparation } from "./encoder/texts.js";
import { SatchelError, shown } from "./errors.js";
import { ImageAnswers } from "./image-model.js";
import type { Answer, Classification, EngineInfo, Filled, Ranked, Span, TextOrPair } from "./models.js";
import type { Engine, Graph } from "./session/session.js";
import { openGraphs } from "./task-model.js";
import { Tokenizer } from "./tokenizer/tokenizer.js";

const STATES = "last_hidden_state";
const SMALLEST = Math.fround(1e-12);

interface Asked {
  readonly prompt?: string | undefined;
  readonly window?: number | undefined;
  readonly dims?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

export async function openEncoder(
  bundle: Bundle,
  engine: Engine,
  warn: (message: string) => void,
): Promise<TextEncoderModel> {
  const { manifest } = bundle;
  const tokenizer = Tokenizer.parse(await bundle.tokenizer());
  const graphs = await openGraphs(bundle, engine);
  const preparation = new Preparation(manifest, tokenizer, warn);
  return new TextEncoderModel(bundle, engine, graphs, preparation);
}

export class TextEncoderModel extends ImageAnswers {
  private readonly encoder: TextEncoder;

  constructor(
    bundle: Bundle,
    engine: Engine & EngineInfo,
    graphs: Readonly<Record<string, Graph>>,
    private readonly preparation: Preparation,
  ) {
    super(bundle, engine, graphs);
    const role = "text" in graphs ? "text" : "encoder";
    this.encoder = new TextEncoder(
      engine,
      graphs[role]!,
      this.manifest.graphs[role]!,
      this.manifest.vocab_size,
    );
  }

  /** A vector of each text, at unit length where the checkpoint says so. */
  async embed(texts: string | readonly string[], options: Asked = {}): Promise<Float32Array[]> {
    this.checkMethod("embed");
    const { prompt, window, dims, signal } = options;
    const pieces = listed("texts", texts).map((text) =>
      this.preparation.rows(text as string, prompt, window),
    );
    const { normalized } = this.preparation.settings;
    const size = this.encoder.answerSize;
    if (dims !== undefined) {
      checkCount("dims", dims);
      if (dims > size) {
        throw SatchelError.usage(`dims = ${dims}; the bundle's vectors have ${size} numbers`);
      }
    }
    const prompts = this.preparation.promptLength(prompt);
    const found = (await this.encoder.texts(pieces.flat(), { prompts, signal })).values();
    return pieces.map((rows) => {
      const length = rows.reduce((sum, row) => sum + row.length, 0);
      const vector = new Float32Array(size);
      for (const row of rows) {
        const { values } = found.next().value!;
        const share = Math.fround(row.length / length);
        for (let i = 0; i < size; i++) {
          vector[i]! += Math.fround(values[i]! * share);
        }
      }
      const whole = rows.length > 1 && normalized ? unit(vector, 0) : vector;
      return dims === undefined
        ? whole
        : normalized
          ? unit(whole.slice(0, dims), SMALLEST)
          : whole.slice(0, dims);
    });
  }

  // biome-ignore lint/suspicious/noExplicitAny: the overloads of the interface say what comes of what
  async classify(texts: any, { prompt }: Asked = {}): Promise<any> {
    this.checkMethod("classify");
    const single = typeof texts === "string" || (isPair(texts) && !Array.isArray(texts[0]));
    const many = single && !Array.isArray(texts) ? [texts] : listed("texts", texts);
    const logits = await this.logits(many as TextOrPair[], prompt);
    const found: Classification[] = logits.map((row) => classified(row, this.manifest.labels!));
    return typeof texts === "string" ? found[0] : found;
  }

  /** Passages by how well they answer a query, the best first. */
  async rank(query: string, passages: readonly string[], { prompt }: Asked = {}): Promise<Ranked[]> {
    this.checkMethod("rank");
    if (typeof passages === "string") {
      throw SatchelError.usage("passages are one text; expected a list of texts");
    }
    const { names, scores } = this.manifest.labels!;
    if (names.length !== 1) {
      throw SatchelError.usage(`ranking needs a bundle with one label; it has ${names.length}`);
    }
    const pairs = listed("passages", passages).map((text) => [query, text] as [string, string]);
    const logits = await this.logits(pairs, prompt);
    // By logits: where a sigmoid is 1 to the last bit, scores no longer tell which is the better.
    return logits
      .map((row, index) => ({ index, logit: row[0]!, score: activated(row, scores)[0]! }))
      .sort((a, b) => b.logit - a.logit || a.index - b.index)
      .map(({ index, score }) => ({ index, score }));
  }

  // biome-ignore lint/suspicious/noExplicitAny: the overloads of the interface say what comes of what
  async tokens(texts: any, { window }: Asked = {}): Promise<any> {
    this.checkMethod("tokens");
    const many = listed("texts", texts) as string[];
    const found: Span[][] = [];
    for (const text of many) {
      const pieces =
        window === undefined
          ? [this.preparation.encode(checked(text))]
          : this.preparation.pieces(text, window);
      const tokens = assembled(pieces, await this.tokenLogits(pieces), window ?? 0);
      const rows = tokens.rows.map((row) => activated(row, "softmax"));
      found.push(mergeLabels(text, { ...tokens, rows }, this.manifest.labels!.names));
    }
    return typeof texts === "string" ? found[0] : found;
  }

  async answer(
    question: string,
    context: string,
    { longest = 30 }: { longest?: number } = {},
  ): Promise<Answer> {
    return (await this.answers(question, context, { top: 1, longest }))[0]!;
  }

  async answers(
    question: string,
    context: string,
    { top = 5, longest = 30 }: { top?: number; longest?: number } = {},
  ): Promise<Answer[]> {
    this.checkMethod("answers");
    checkCount("top", top);
    checkCount("longest", longest);
    const { pieces, overlap } = this.preparation.question(question, context);
    const logits = await this.tokenLogits(pieces);
    // That one piece has no answer says nothing of the others: the least sure of it counts.
    const sum = (row: Float32Array) => Math.fround(row[0]! + row[1]!);
    const none = logits
      .map(([first]) => first!)
      .reduce((least, row) => (sum(row) < sum(least) ? row : least));
    return bestAnswers(context, assembled(pieces, logits, overlap, 1), none, longest, top);
  }

  /** The likeliest tokens for the one mask in a text. */
  async fillMask(text: string, { top = 5 }: { top?: number } = {}): Promise<Filled[]> {
    this.checkMethod("fillMask");
    checkCount("top", top);
    const { tokenizer } = this.preparation;
    const { mask } = this.manifest.tokens;
    if (mask === null) {
      throw SatchelError.usage("this bundle's tokenizer has no mask token");
    }
    const name = String(tokenizer.idToToken(mask));
    const encoding = this.preparation.encode(checked(text));
    const places = encoding.ids.flatMap((id, place) => (id === mask ? [place] : []));
    if (places.length !== 1) {
      throw SatchelError.usage(`the text has ${places.length} masks; write one as ${name}`);
    }
    const [rows] = await this.tokenLogits([encoding]);
    const scores = activated(rows![places[0]!]!, "softmax");
    const order = Array.from(scores, (_, id) => id).sort((a, b) => scores[b]! - scores[a]! || a - b);
    return order.slice(0, top).map((id) => {
      const token = tokenizer.decode([id], false).trim();
      return { token, score: scores[id]!, text: text.replaceAll(name, () => token) };
    });
  }

  /** The last layer's states of a text or ids, special tokens included. */
  async hiddenStates(text: string | readonly number[]): Promise<Float32Array[]> {
    this.checkMethod("hiddenStates");
    const ids = typeof text === "string" ? this.preparation.rows(text)[0]! : [...text];
    if (ids.length > this.manifest.context) {
      throw SatchelError.limit(`${ids.length} ids; the model takes ${this.manifest.context}`);
    }
    const [states] = await this.encoder.texts([ids], { output: STATES });
    return rowsOf(states!);
  }

  /** Logits of texts and of pairs of texts. */
  private async logits(items: readonly TextOrPair[], prompt: string | undefined): Promise<Float32Array[]> {
    const read = items.map((item) => {
      const texts = typeof item === "string" ? [item] : item;
      if (!Array.isArray(texts) || texts.length < 1 || texts.length > 2) {
        throw SatchelError.usage(`expected a text or a pair of texts, got ${shown(JSON.stringify(item))}`);
      }
      return this.preparation.read(prompt, texts);
    });
    const rows = read.map(({ ids }) => ids);
    const found = await this.encoder.texts(rows, { types: read.map(({ types }) => types) });
    return found.map(({ values }) => values);
  }

  /** Of each encoding the logits of its tokens. */
  private async tokenLogits(
    encodings: readonly { ids: readonly number[]; types: readonly number[] }[],
  ): Promise<Float32Array[][]> {
    const rows = encodings.map(({ ids }) => ids);
    const found = await this.encoder.texts(rows, { types: encodings.map(({ types }) => types) });
    return found.map(rowsOf);
  }
}

function rowsOf({ values, shape }: { values: Float32Array; shape: readonly number[] }): Float32Array[] {
  const [count, width] = shape as [number, number];
  return Array.from({ length: count }, (_, i) => values.slice(i * width, (i + 1) * width));
}

/** A vector over its length, or over `least` where that is more. */
function unit(vector: Float32Array, least: number): Float32Array {
  const length = Math.fround(Math.sqrt(vector.reduce((sum, each) => sum + each * each, 0)));
  return vector.map((each) => each / Math.max(length, least));
}

function isPair(texts: unknown): texts is readonly unknown[] {
  return Array.isArray(texts) && texts.length === 2;
}

function checked(text: unknown): string {
  if (typeof text !== "string") {
    throw SatchelError.usage(`expected a text, got ${text === null ? "null" : typeof text}`);
  }
  return text;
}

function listed(name: string, texts: unknown): unknown[] {
  if (typeof texts === "string") {
    return [texts];
  }
  if (!Array.isArray(texts)) {
    throw SatchelError.usage(
      `${name}: expected a text or a list of texts, got ${texts === null ? "null" : typeof texts}`,
    );
  }
  return texts;
}

function checkCount(name: string, value: unknown): void {
  if (!Number.isInteger(value) || (value as number) < 1) {
    throw SatchelError.usage(`${name} = ${shown(String(value))}; expected a whole number from 1`);
  }
}
