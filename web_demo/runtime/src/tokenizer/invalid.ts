/** The errors of tokenizers, and the fields of a tokenizer.json read by their types. */
import { SatchelError, shown } from "../errors.js";

/** The file says what this runtime cannot follow. */
export function invalid(what: string): SatchelError {
  return SatchelError.bundle(`tokenizer.json is not usable: ${what}`, "TOKENIZER_INVALID");
}

export function unknown(kind: string, name: unknown): SatchelError {
  return invalid(`the ${kind} ${shown(name)} is not known`);
}

/** A text that a tokenizer can give no ids for. */
export function tokenizerText(why: string): SatchelError {
  return SatchelError.usage(`the text cannot be tokenized: ${why}`, "PROMPT_ENCODING");
}

/** The fields of one object; what has another type than expected is refused by its name. */
export class Fields {
  private constructor(
    readonly all: Readonly<Record<string, unknown>>,
    private readonly where: string,
  ) {}

  static of(value: unknown, where: string): Fields {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw invalid(`${where} is not an object`);
    }
    return new Fields(value as Record<string, unknown>, where);
  }

  /** The same fields, called otherwise in messages. */
  named(name: string): Fields {
    return new Fields(this.all, name);
  }

  has(key: string): boolean {
    return this.get(key) !== undefined;
  }

  /** Undefined where it is not there, or null. */
  get(key: string): unknown {
    return Object.hasOwn(this.all, key) ? (this.all[key] ?? undefined) : undefined;
  }

  text(key: string, usual?: string): string {
    const value = this.get(key) ?? usual;
    if (typeof value !== "string") {
      throw this.wrong(key, "a text");
    }
    return value;
  }

  /** A text of exactly one character. */
  character(key: string): number {
    const chars = [...this.text(key)];
    if (chars.length !== 1) {
      throw this.wrong(key, "one character");
    }
    return chars[0]!.codePointAt(0)!;
  }

  flag(key: string, usual?: boolean): boolean {
    const value = this.get(key) ?? usual;
    if (typeof value !== "boolean") {
      throw this.wrong(key, "true or false");
    }
    return value;
  }

  /** A whole number from 0 on, as ids and counts are. */
  number(key: string, usual?: number): number {
    return this.isNumber(this.get(key) ?? usual, key);
  }

  isNumber(value: unknown, key: string): number {
    if (!Number.isInteger(value) || (value as number) < 0 || (value as number) >= 2 ** 31) {
      if (value !== -1 || this.get(key) !== undefined) {
        throw this.wrong(key, "a number from 0 on");
      }
    }
    return value as number;
  }

  list(key: string): unknown[] {
    const value = this.get(key);
    if (!Array.isArray(value)) {
      throw this.wrong(key, "a list");
    }
    return value;
  }

  object(key: string): Fields {
    return Fields.of(this.get(key), `${this.where}'s ${key}`);
  }

  wrong(key: string, expected: string): SatchelError {
    const value = this.get(key);
    const found = typeof value === "object" ? "" : ` = ${shown(value)}`;
    return invalid(`${this.where}'s ${key}${found} is not ${expected}`);
  }
}
