/**
 * Texts to ids and back, as a tokenizer.json says: ids, places, types and words equal those of the `tokenizers` library.
 * What it has that is not known here is refused when it is read.
 */
import { SatchelError } from "../errors.js";
import { type AddedToken, AddedTokens, addedTokensOf } from "./added-tokens.js";
import { AlignedText } from "./aligned.js";
import { type Cut, cutRows } from "./cutting.js";
import { type Decoder, decoderOf } from "./decoders.js";
import { Fields, invalid, unknown } from "./invalid.js";
import { modelOf, type TokenizerModel } from "./models.js";
import { type Normalizer, normalizerOf } from "./normalizers.js";
import { type PostProcessor, postProcessorOf } from "./post-processors.js";
import { type PreTokenizer, preTokenizerOf } from "./pre-tokenizers.js";
import { type Encoding, Row } from "./rows.js";

const KEYS = new Set([
  ...["version", "truncation", "padding", "added_tokens", "normalizer"],
  ...["pre_tokenizer", "post_processor", "decoder", "model"],
]);

export class Tokenizer {
  private readonly texts: ReadonlyMap<number, string>;

  private constructor(
    private readonly model: TokenizerModel,
    private readonly normalizer: Normalizer | undefined,
    private readonly preTokenizer: PreTokenizer | undefined,
    private readonly postProcessor: PostProcessor | undefined,
    private readonly decoder: Decoder | undefined,
    readonly added: AddedTokens,
  ) {
    this.texts = new Map([...model.vocabulary].map(([text, id]) => [id, text]));
  }

  /** Reads the content of a tokenizer.json, without the truncation and padding it may ask for. */
  static parse(json: string): Tokenizer {
    let value: unknown;
    try {
      value = JSON.parse(json);
    } catch {
      throw invalid("it is not JSON");
    }
    const fields = Fields.of(value, "the whole");
    const strange = Object.keys(fields.all).find((key) => !KEYS.has(key));
    if (strange !== undefined) {
      throw unknown("key", strange);
    }
    if (fields.has("version") && fields.get("version") !== "1.0") {
      throw unknown("version", fields.get("version"));
    }
    const model = modelOf(fields.get("model"));
    const normalizer = normalizerOf(fields.get("normalizer"));
    return new Tokenizer(
      model,
      normalizer,
      preTokenizerOf(fields.get("pre_tokenizer")),
      postProcessorOf(fields.get("post_processor")),
      decoderOf(fields.get("decoder")),
      new AddedTokens(addedTokensOf(fields, model), normalizer),
    );
  }

  /** One text, or two, as one row of ids; with or without the special tokens that go around it. */
  encode(first: string, specialTokens = true, second?: string): Encoding {
    return this.finished(this.rows(first, second), specialTokens);
  }

  /** The same in pieces of a length, of which the first is what is left where a text is cut. */
  encodeCut(first: string, cut: Cut, second?: string, specialTokens = true): Encoding[] {
    const added = specialTokens ? this.specialTokens(second !== undefined) : 0;
    return cutRows(this.rows(first, second), added, cut).map((rows) => this.finished(rows, specialTokens));
  }

  private rows(first: string, second: string | undefined): Row[] {
    return second === undefined ? [this.row(first, 0)] : [this.row(first, 0), this.row(second, 1)];
  }

  private finished(rows: Row[], specialTokens: boolean): Encoding {
    rows.forEach((row, i) => {
      row.setSequence(i);
    });
    const all = this.postProcessor?.(rows, specialTokens) ?? rows;
    if (all.length === 1) {
      return all[0]!.encoding();
    }
    const whole = new Row();
    for (const row of all) {
      whole.append(row);
    }
    return whole.encoding();
  }

  /** How many special tokens go around a text, or two. */
  specialTokens(two: boolean): number {
    return this.encode("", true, two ? "" : undefined).ids.length;
  }

  private row(text: string, type: number): Row {
    checkSurrogates(text);
    const row = new Row();
    const parts = this.added.cut(AlignedText.of(text)).flatMap((part) => {
      const pieces = part.id === undefined ? this.preTokenizer?.(part.text) : undefined;
      return pieces === undefined ? [part] : pieces.map((piece) => ({ text: piece, id: undefined }));
    });
    parts.forEach((part, word) => {
      const { text: span, id: addedId } = part;
      const tokens =
        addedId === undefined ? this.model.tokenize(span) : [{ id: addedId, start: 0, end: span.length }];
      for (const { id, start, end } of tokens) {
        const own = addedId !== undefined || this.model.keepsText;
        row.tokens.push({
          ...{ id, type, word },
          start: start < end ? span.starts[start]! : span.from + start,
          end: start < end ? span.ends[end - 1]! : span.from + end,
          text: own ? span.text(start, end) : this.texts.get(id)!,
        });
      }
    });
    return row;
  }

  /** The text of ids; ids that are no token are left out. */
  decode(ids: readonly number[], skipSpecialTokens = true): string {
    const tokens = ids
      .map((id) => this.idToToken(id))
      .filter((token) => token !== undefined)
      .filter((token) => !(skipSpecialTokens && this.added.isSpecial(token)));
    return this.decoder === undefined ? tokens.join(" ") : this.decoder(tokens).join("");
  }

  /** The token of an id; an added token that is looked for normalised is so here too. */
  idToToken(id: number): string | undefined {
    return this.added.written.get(id) ?? this.texts.get(id);
  }

  tokenToId(token: string): number | undefined {
    return this.added.byContent.get(token)?.id ?? this.model.vocabulary.get(token);
  }

  /** The highest id of a token, plus one. */
  get vocabularySize(): number {
    let size = 0;
    for (const id of [...this.texts.keys(), ...this.added.written.keys()]) {
      size = Math.max(size, id + 1);
    }
    return size;
  }

  /** A twin that knows other added tokens, and nothing that goes around a text; it shares everything else. */
  withAddedTokens(tokens: readonly AddedToken[]): Tokenizer {
    const added = new AddedTokens(tokens, this.normalizer);
    return new Tokenizer(this.model, this.normalizer, this.preTokenizer, undefined, this.decoder, added);
  }
}

function checkSurrogates(text: string): void {
  if (!text.isWellFormed()) {
    const at = [...text].findIndex((letter) => /^\p{Cs}$/u.test(letter));
    throw SatchelError.usage(`the text holds a lone surrogate at character ${at}`, "PROMPT_ENCODING");
  }
}
