/** What an app holds of an encoder-decoder model: a source in, a target out. */
import type { Bundle } from "./bundle/bundle.js";
import { Decoder, type Run } from "./decoder/run.js";
import { SatchelError } from "./errors.js";
import type {
  EngineInfo,
  GenerateOptions,
  Generation,
  Prompt,
  Seq2seqModel,
  TranslateOptions,
} from "./models.js";
import { Languages } from "./seq2seq/languages.js";
import { SourceEncoder } from "./seq2seq/sources.js";
import type { Engine, Graph } from "./session/session.js";
import { openGraphs } from "./task-model.js";
import { WritingModel } from "./text-model.js";
import { Tokenizer } from "./tokenizer/tokenizer.js";

export async function openSeq2seq(bundle: Bundle, engine: Engine): Promise<Seq2seqModel> {
  const tokenizer = Tokenizer.parse(await bundle.tokenizer());
  const graphs = await openGraphs(bundle, engine);
  return new EncoderDecoder(bundle, engine, graphs, tokenizer);
}

class EncoderDecoder extends WritingModel implements Seq2seqModel {
  private readonly encoder: SourceEncoder;
  private readonly languages: Languages;
  private readonly start: number;

  constructor(
    bundle: Bundle,
    engine: Engine & EngineInfo,
    graphs: Readonly<Record<string, Graph>>,
    tokenizer: Tokenizer,
  ) {
    super(bundle, engine, graphs, tokenizer, new Decoder(engine, graphs.decoder!, bundle.manifest));
    this.encoder = new SourceEncoder(engine, graphs.encoder!, this.manifest);
    this.promptLimit = this.encoder.context;
    this.languages = new Languages(this.manifest);
    this.start = this.manifest.seq2seq!.start;
  }

  // biome-ignore lint/suspicious/noExplicitAny: the overloads of the interface say what comes of what
  async translate(texts: any, options: TranslateOptions = {}): Promise<any> {
    this.checkMethod("translate");
    const { sourceLang, targetLang, ...rest } = options;
    const many: readonly string[] = typeof texts === "string" ? [texts] : texts;
    const sources = many.map((text) =>
      text.trim() === "" ? [] : this.encodeSource(text, sourceLang, targetLang),
    );
    const some = sources.filter(({ length }) => length > 0);
    const written = (await this.targets(some, targetLang, rest)).values();
    const translations = sources.map(({ length }) =>
      length > 0 ? (written.next().value as Generation).text : "",
    );
    return typeof texts === "string" ? translations[0] : translations;
  }

  /** Ids of a source with what tells the model its languages. */
  encodeSource(text: string, sourceLang?: string, targetLang?: string): readonly number[] {
    this.checkText(text);
    return this.languages.encode(this.tokenizer, text, sourceLang, targetLang);
  }

  private async targets(
    sources: readonly (readonly number[])[],
    targetLang: string | undefined,
    options: GenerateOptions,
  ): Promise<readonly Generation[]> {
    if (options.nBest !== undefined && options.nBest !== null) {
      throw SatchelError.usage("nBest does not apply: a translation is one text; use generate");
    }
    this.languages.requireTarget(targetLang);
    if (sources.length === 0) {
      return [];
    }
    const forced = this.languages.forcedFirstToken(targetLang);
    const own = Object.fromEntries(
      Object.entries(options).filter(([, value]) => value !== undefined && value !== null),
    );
    const asked = this.asked({ ...(forced !== undefined && { forcedBosTokenId: forced }), ...own });
    return (await this.startingWith(this.languages.start(targetLang)).written(sources, asked)).map(
      ([first]) => first!,
    );
  }

  /** The same model whose targets begin with another id. */
  private startingWith(start: number | undefined): EncoderDecoder {
    const other = Object.create(EncoderDecoder.prototype) as EncoderDecoder;
    return start === undefined ? this : Object.assign(other, this, { start });
  }

  /** Before each token of a target, and behind the last, the logits of the next. */
  async logits(source: Prompt, target: Prompt): Promise<Float32Array[]> {
    this.checkMethod("logits");
    const ids = typeof target === "string" ? (target === "" ? [] : this.encode(target)) : [...target];
    const run = this.decoder.start(1, await this.encoder.read([this.ids(source)]));
    try {
      return await run.append([this.start, ...ids], true);
    } finally {
      run.dispose();
    }
  }

  protected encode(text: string): readonly number[] {
    return this.encodeSource(text);
  }

  protected before(ids: readonly number[]): readonly number[] {
    this.encoder.checked(ids);
    return [this.start];
  }

  protected async lease(
    prompts: readonly (readonly number[])[],
    signal: AbortSignal | undefined,
  ): Promise<Run> {
    return this.decoder.start(prompts.length, await this.encoder.read(prompts), signal);
  }
}
