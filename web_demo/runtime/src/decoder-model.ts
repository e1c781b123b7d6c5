/** What an app holds of a decoder-only model: generation, conversations, scores. */
import type { Bundle } from "./bundle/bundle.js";
import { CHUNK, Decoder, type Run } from "./decoder/run.js";
import { SatchelError } from "./errors.js";
import { highestOf, massOf } from "./generate/processors.js";
import type {
  DecoderModel,
  EngineInfo,
  GenerateOptions,
  Generation,
  Message,
  Prompt,
  Score,
  TextStream,
} from "./models.js";
import type { Engine, Graph } from "./session/session.js";
import { openGraphs } from "./task-model.js";
import { ChatFormat } from "./text/chat-format.js";
import { WritingModel } from "./text-model.js";
import { Tokenizer } from "./tokenizer/tokenizer.js";

const { fround } = Math;

export async function openDecoder(bundle: Bundle, engine: Engine): Promise<DecoderModel> {
  const tokenizer = Tokenizer.parse(await bundle.tokenizer());
  const graphs = await openGraphs(bundle, engine);
  return new DecoderOnly(bundle, engine, graphs, tokenizer);
}

class DecoderOnly extends WritingModel implements DecoderModel {
  private readonly format: ChatFormat | undefined;
  private conversation: Run | undefined; // which holds the last conversation
  private talking = false;

  constructor(
    bundle: Bundle,
    engine: Engine & EngineInfo,
    graphs: Readonly<Record<string, Graph>>,
    tokenizer: Tokenizer,
  ) {
    super(bundle, engine, graphs, tokenizer, new Decoder(engine, graphs.decoder!, bundle.manifest));
    const { chat } = this.manifest;
    this.format = chat === null ? undefined : ChatFormat.from(chat);
  }

  async chat(messages: readonly Message[], options: GenerateOptions = {}): Promise<Generation> {
    this.checkMethod("chat");
    const stream = this.streamChat(messages, options);
    for (;;) {
      const { done, value } = await stream.next();
      if (done === true) {
        return value;
      }
    }
  }

  /** What the conversation shares with the last one is not computed again. */
  async *streamChat(messages: readonly Message[], options: GenerateOptions = {}): TextStream {
    this.checkMethod("chat");
    const asked = this.streamable(options);
    const ids = this.encodeChat(messages);
    if (this.talking) {
      return yield* this.pieces(ids, asked, this.decoder.start(1, undefined, asked.signal));
    }
    this.talking = true;
    try {
      this.conversation ??= this.decoder.start();
      this.conversation.signal = asked.signal;
      return yield* this.pieces(ids, asked, this.conversation, true);
    } finally {
      this.talking = false;
    }
  }

  /** Ids of a conversation up to where the answer begins. */
  encodeChat(messages: readonly Message[]): readonly number[] {
    if (this.format === undefined) {
      throw SatchelError.usage("this bundle has no chat template; use generate");
    }
    if (Array.isArray(messages)) {
      this.checkText(messages.map((message) => String((message as Message | null)?.content ?? "")).join(""));
    }
    return this.format.encode(this.tokenizer, messages);
  }

  async score(prompt: Prompt): Promise<Score> {
    this.checkMethod("score");
    const ids = this.ids(prompt);
    if (ids.length < 2) {
      throw SatchelError.usage("a score needs at least two tokens");
    }
    const logprobs = new Float32Array(ids.length - 1);
    const run = this.decoder.start();
    try {
      run.reserve([ids.length - 1]);
      for (let start = 0; start < ids.length - 1; start += CHUNK) {
        const piece = ids.slice(start, Math.min(start + CHUNK, ids.length - 1));
        const logits = await run.append(piece, true);
        logits.forEach((row, i) => {
          const top = highestOf(row);
          logprobs[start + i] = fround(row[ids[start + i + 1]!]! - top) - Math.log(massOf(row, top));
        });
      }
    } finally {
      run.dispose();
    }
    const mean = logprobs.reduce((sum, value) => sum + value, 0) / logprobs.length;
    return { tokens: [...ids], logprobs, perplexity: Math.exp(-mean) };
  }

  /** At each position of a text, the logits of the next token. */
  async logits(prompt: Prompt): Promise<Float32Array[]> {
    this.checkMethod("logits");
    const run = this.decoder.start();
    try {
      return await run.append(this.ids(prompt), true);
    } finally {
      run.dispose();
    }
  }

  override async close(): Promise<void> {
    this.conversation?.dispose();
    this.conversation = undefined;
    await super.close();
  }

  protected encode(text: string): readonly number[] {
    this.checkText(text);
    return this.tokenizer.encode(text).ids;
  }

  protected before(ids: readonly number[]): readonly number[] {
    return ids;
  }

  protected async lease(
    prompts: readonly (readonly number[])[],
    signal: AbortSignal | undefined,
  ): Promise<Run> {
    return this.decoder.start(prompts.length, undefined, signal);
  }
}
