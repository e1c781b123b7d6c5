/** An encoder's texts become ids, as the manifest's `text` says. Knows no graph. */
import type { Manifest, TextInput } from "../bundle/manifest.js";
import { TASKS } from "../bundle/tasks.js";
import { SatchelError, shown } from "../errors.js";
import { strip } from "../text/blank.js";
import type { Encoding } from "../tokenizer/rows.js";
import type { Tokenizer } from "../tokenizer/tokenizer.js";

const MOST_CHARACTERS = 2 ** 24; // more is no text for one vector
const MOST_SHARED = 128; // tokens of a context that two pieces share
const [FIRST, SECOND] = ["0", "1 2 3 4"]; // texts that share no token: what ends both alike is no text's

/** A row of ids and the kinds of its tokens. */
export interface ReadText {
  readonly ids: readonly number[];
  readonly types: readonly number[];
}

export class Preparation {
  readonly settings: TextInput;
  private readonly messages: Messages | undefined;

  constructor(
    private readonly manifest: Manifest,
    readonly tokenizer: Tokenizer,
    private readonly warn: (message: string) => void,
  ) {
    this.settings = manifest.text!;
    if (manifest.chat !== null) {
      this.messages = new Messages(manifest.chat, TASKS[manifest.task]!.pairs ? 2 : 1);
    }
  }

  /** Ids of a text or of two, the first behind a prompt; what exceeds the model's length is cut. */
  read(prompt: string | undefined, texts: readonly string[], wholePair = false): ReadText {
    const before = this.prompt(prompt);
    for (const text of texts) {
      checkText(text);
    }
    if (this.messages !== undefined) {
      const ids = this.written(this.messages, prompt ?? this.settings.default_prompt ?? "", texts);
      return { ids, types: ids.map(() => 0) };
    }
    return this.encode(before + texts[0]!, texts[1], wholePair);
  }

  /** A text, or a pair, as one encoding; what exceeds the model's length is cut, with a warning. */
  encode(text: string, pair?: string, wholePair = false): Encoding {
    const second = pair === undefined ? undefined : this.cased(pair);
    const { max_length: limit, cut_left: left } = this.settings;
    if (wholePair && this.tokenizer.encode("", true, second).ids.length >= limit) {
      throw SatchelError.usage(`${shown(pair)} leaves no room for the text: the model reads ${limit} tokens`);
    }
    const cut = { limit, left, side: wholePair ? "only_first" : "longest_first" } as const;
    return this.firstOf(this.tokenizer.encodeCut(this.cased(text), cut, second));
  }

  /** A text in as many encodings as it takes; neighbours share `overlap` tokens. */
  pieces(text: string, overlap: number): Encoding[] {
    const { max_length: limit } = this.settings;
    const most = limit - this.tokenizer.specialTokens(false) - 1;
    if (!Number.isInteger(overlap) || overlap < 0 || overlap > most) {
      throw SatchelError.usage(
        `window = ${shown(String(overlap))}; expected a whole number from 0 to ${most}`,
      );
    }
    checkText(text);
    return this.tokenizer.encodeCut(this.cased(text), { limit, overlap });
  }

  /** Pairs of the question and a piece of the context, and how many tokens neighbours share. */
  question(question: string, context: string): { pieces: Encoding[]; overlap: number } {
    checkText(question);
    checkText(context);
    const { max_length: limit } = this.settings;
    const lead = this.tokenizer.encode(this.cased(question), true, "").ids.length;
    const room = limit - lead;
    if (room < 2) {
      throw SatchelError.usage(`the question has ${lead} tokens; at most ${limit - 2} leave room`);
    }
    const overlap = Math.min(MOST_SHARED, Math.floor(room / 2));
    const cut = { limit, overlap, side: "only_second" } as const;
    return { pieces: this.tokenizer.encodeCut(this.cased(question), cut, this.cased(context)), overlap };
  }

  /** The ids to embed for a text: one row, or with `window` overlapping rows where it is long. */
  rows(text: string, prompt?: string, window?: number): (readonly number[])[] {
    if (window === undefined) {
      return [this.padded(this.read(prompt, [text]).ids)];
    }
    if (this.messages !== undefined) {
      throw SatchelError.usage("this bundle writes texts as messages of a chat: they have no window");
    }
    const before = this.prompt(prompt);
    checkText(text);
    return this.pieces(before + text, window).map(({ ids }) => this.padded(ids));
  }

  /** Tokens of the prompt of that name, or of the default one, without a special one at their end. */
  promptLength(name: string | undefined): number {
    const text = this.prompt(name);
    if (text === "") {
      return 0;
    }
    const { ids } = this.encode(text);
    const last = this.tokenizer.added.all.find(({ id }) => id === ids.at(-1));
    return ids.length - (last?.special === true ? 1 : 0);
  }

  private padded(ids: readonly number[]): readonly number[] {
    const pad = this.settings.pad_to_context;
    // A few models were trained on texts that are all filled up to the context.
    return pad === null ? ids : [...ids, ...new Array<number>(this.manifest.context - ids.length).fill(pad)];
  }

  private prompt(given: string | undefined): string {
    const { prompts, default_prompt: usual } = this.settings;
    const name = given ?? usual;
    if (name === null || name === undefined) {
      return "";
    }
    if (typeof name !== "string" || !Object.hasOwn(prompts, name)) {
      const known =
        Object.keys(prompts)
          .map((each) => shown(each))
          .join(", ") || "none";
      throw SatchelError.usage(`prompt ${shown(String(name))} is unknown; the bundle has ${known}`);
    }
    return prompts[name]!;
  }

  /** Ids of messages; of those that are too long the text is cut, and not what ends the last. */
  private written(messages: Messages, name: string, texts: readonly string[]): number[] {
    const { max_length: limit, cut_left: left } = this.settings;
    const text = messages.render(
      name,
      texts.map((each) => this.cased(each)),
    );
    const ids = [...this.firstOf(this.tokenizer.encodeCut(text, { limit, left }, undefined, false)).ids];
    if (ids.length >= limit) {
      const end = messages.ending(name, (said) => this.tokenizer.encode(said, false).ids).slice(-ids.length);
      ids.splice(ids.length - end.length, end.length, ...end);
    }
    return ids;
  }

  private firstOf(pieces: readonly Encoding[]): Encoding {
    if (pieces.length > 1) {
      this.warn(`a text of more than ${this.settings.max_length} tokens is cut`);
    }
    return pieces[0]!;
  }

  private cased(text: string): string {
    return this.settings.lower_case ? text.toLowerCase() : text;
  }
}

function checkText(text: unknown): void {
  if (typeof text !== "string") {
    throw SatchelError.usage(`expected a text, got ${text === null ? "null" : typeof text}`);
  }
  if (text.length > MOST_CHARACTERS) {
    throw SatchelError.limit(
      `a text has ${text.length} characters; at most ${MOST_CHARACTERS}`,
      "PROMPT_TOO_LONG",
    );
  }
}

/** Texts as messages of a chat: the fixed text around them, whose end is never cut off. */
class Messages {
  private readonly pieces: Readonly<Record<string, readonly string[]>>;
  private readonly trim: boolean;
  private readonly count: number;

  constructor(value: Readonly<Record<string, unknown>>, count: number) {
    const { kind, pieces, trim } = value as {
      kind: unknown;
      pieces: Record<string, string[]>;
      trim: unknown;
    };
    const fits =
      kind === "texts" &&
      typeof trim === "boolean" &&
      typeof pieces === "object" &&
      Object.values(pieces).every((each) => Array.isArray(each) && each.length === count + 1) &&
      Object.hasOwn(pieces, "");
    if (!fits) {
      throw SatchelError.bundle(
        `the manifest's chat format is not one of texts: ${shown(JSON.stringify(value))}`,
      );
    }
    this.pieces = pieces;
    this.trim = trim as boolean;
    this.count = count;
  }

  render(prompt: string, texts: readonly string[]): string {
    if (texts.length !== this.count) {
      throw SatchelError.usage(`this bundle reads ${this.count === 2 ? "a pair of texts" : "single texts"}`);
    }
    const [first, ...rest] = Object.hasOwn(this.pieces, prompt) ? this.pieces[prompt]! : this.pieces[""]!;
    return first + texts.map((text, i) => (this.trim ? strip(text) : text) + rest[i]!).join("");
  }

  /** The ids behind the last text, in this tokenizer. */
  ending(prompt: string, encode: (text: string) => readonly number[]): readonly number[] {
    const [first, second] = [FIRST, SECOND].map((text) =>
      encode(this.render(prompt, new Array<string>(this.count).fill(text))),
    );
    const most = Math.min(first!.length, second!.length);
    let count = 0;
    while (count < most && first!.at(-1 - count) === second!.at(-1 - count)) {
      count += 1;
    }
    return count < most ? first!.slice(first!.length - count) : [];
  }
}
