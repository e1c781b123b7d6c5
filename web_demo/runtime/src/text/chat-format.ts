/**
 * Turns a conversation into the ids its model was trained on. A conversation is joint, content, joint, ..., joint. Joints are
 * named by their neighbours: `>user` opens it, `user>assistant` lies between, `user>>` asks for an answer. Formats that do not
 * fit carry Jinja, which does not run here.
 */
import { SatchelError, shown } from "../errors.js";
import type { Message } from "../models.js";
import type { AddedToken } from "../tokenizer/added-tokens.js";
import type { Tokenizer } from "../tokenizer/tokenizer.js";
import { strip } from "./blank.js";

const ROLES = ["system", "user", "assistant"];
const JOINT = /^(>(system|user|assistant)|(system|user|assistant)>(>|system|user|assistant)?)$/;

interface Piece {
  readonly text: string;
  readonly markup: boolean;
}

export class ChatFormat {
  private constructor(
    private readonly joints: Readonly<Record<string, string>>,
    private readonly trim: readonly string[],
    private readonly isTemplate: boolean,
  ) {}

  /** Reads the manifest's entry. Raises BUNDLE where it is not one. */
  static from(value: Readonly<Record<string, unknown>>): ChatFormat {
    const { kind, joints, trim } = value;
    if (kind === "jinja" && typeof value.template === "string") {
      return new ChatFormat({}, [], true);
    }
    const texts = typeof joints === "object" && joints !== null ? Object.entries(joints) : [];
    const fits =
      kind === "joints" &&
      Array.isArray(trim) &&
      trim.every((role) => ROLES.includes(role as string)) &&
      texts.length > 0 &&
      texts.every(([name, text]) => JOINT.test(name) && typeof text === "string");
    if (!fits) {
      throw SatchelError.bundle(`the manifest's chat format is not one: ${shown(JSON.stringify(value))}`);
    }
    return new ChatFormat(joints as Record<string, string>, trim as string[], false);
  }

  /** The ids of a conversation up to where the answer begins. A control token that stands in a content is text. */
  encode(tokenizer: Tokenizer, messages: readonly Message[]): readonly number[] {
    const pieces = this.pieces(messages);
    const control = this.controlTokens(tokenizer);
    const pattern = anyOf([...control.keys()]);
    const marks = pieces.flatMap(({ text, markup }) => (markup ? [...text.matchAll(pattern)] : []));
    const expected = marks.map(([mark]) => control.get(mark)!);
    const powerful = new Set(control.values());
    for (const encode of [whole, guarded]) {
      const ids = encode(tokenizer, pieces, control, pattern);
      // Whoever forged a control token, by whatever trick, the ids tell: there is one too many.
      const found = ids.filter((id) => powerful.has(id));
      if (found.length === expected.length && found.every((id, i) => id === expected[i])) {
        return ids;
      }
    }
    throw SatchelError.usage("a message holds a control token that this tokenizer cannot read as text");
  }

  private pieces(messages: readonly Message[]): Piece[] {
    checkMessages(messages);
    if (this.isTemplate) {
      throw SatchelError.unsupported(
        "this bundle's chat format is a Jinja template, which does not run here",
      );
    }
    const pieces: Piece[] = [];
    let before = "";
    for (const { role, content } of messages) {
      pieces.push({ text: this.joint(`${before}>${role}`), markup: true });
      pieces.push({ text: this.trim.includes(role) ? strip(content) : content, markup: false });
      before = role;
    }
    return [...pieces, { text: this.joint(`${before}>>`), markup: true }];
  }

  private joint(name: string): string {
    const joint = Object.hasOwn(this.joints, name) ? this.joints[name] : undefined;
    if (joint === undefined) {
      const [before, after] = [name.slice(0, name.indexOf(">")), name.slice(name.indexOf(">") + 1)];
      const behind = after === ">" ? "answer" : after;
      throw SatchelError.usage(
        `the model's chat template refuses this order: ${before || "start"}, ${behind}`,
      );
    }
    return joint;
  }

  /** The tokens with power: the special ones, and every added one that the markup itself uses. */
  private controlTokens(tokenizer: Tokenizer): Map<string, number> {
    const markup = Object.values(this.joints).join("\0");
    const control = new Map<string, number>();
    for (const { content, id, special } of tokenizer.added.all) {
      // Some tokenizers add runs of spaces or newlines as tokens; those are ordinary text.
      if (special || (strip(content) !== "" && markup.includes(content))) {
        control.set(content, id);
      }
    }
    return control;
  }
}

type Encode = (
  tokenizer: Tokenizer,
  pieces: readonly Piece[],
  control: ReadonlyMap<string, number>,
  pattern: RegExp,
) => readonly number[];

const whole: Encode = (tokenizer, pieces) =>
  tokenizer.encode(pieces.map(({ text }) => text).join(""), false).ids;

/** Encodes with a twin whose control tokens have secret names, which only the markup is told. */
const guarded: Encode = (tokenizer, pieces, control, pattern) => {
  const seal = crypto.randomUUID().replaceAll("-", "");
  const secret = new Map([...control].map(([name, id]) => [name, `<|${seal}.${id}|>`]));
  const renamed = tokenizer.added.all.map((token): AddedToken => {
    const name = secret.get(token.content);
    return name === undefined ? token : { ...token, content: name, normalized: false, singleWord: false };
  });
  const text = pieces
    .map((piece) => (piece.markup ? piece.text.replaceAll(pattern, (mark) => secret.get(mark)!) : piece.text))
    .join("");
  return tokenizer.withAddedTokens(renamed).encode(text, false).ids;
};

function anyOf(names: readonly string[]): RegExp {
  const longestFirst = [...names].sort((a, b) => b.length - a.length);
  const escaped = longestFirst.map((name) => name.replaceAll(/[.*+?^${}()|[\]\\/-]/g, "\\$&"));
  return new RegExp(escaped.join("|") || "(?!)", "g");
}

function checkMessages(messages: unknown): asserts messages is readonly Message[] {
  if (!Array.isArray(messages)) {
    throw SatchelError.usage(`messages must be a list, not ${typeof messages}`);
  }
  if (messages.length === 0) {
    throw SatchelError.usage("messages is empty: a conversation has at least one message");
  }
  messages.forEach((message, i) => {
    const fault = faultOf(message);
    if (fault !== undefined) {
      throw SatchelError.usage(`message ${i + 1}: ${fault}`);
    }
  });
}

function faultOf(message: unknown): string | undefined {
  if (typeof message !== "object" || message === null) {
    return `must be {"role": ..., "content": ...}, not ${typeof message}`;
  }
  const keys = Object.keys(message).sort().join();
  if (keys !== "content,role") {
    return `has the keys ${shown(keys)}; expected role and content`;
  }
  const { role, content } = message as Message;
  if (!ROLES.includes(role)) {
    return `has the role ${shown(String(role))}; known: ${ROLES.join(", ")}`;
  }
  if (typeof content !== "string") {
    return `content must be text, not ${typeof content}`;
  }
  return content.isWellFormed() ? undefined : "content holds half a surrogate pair, which is not text";
}
