/** How a translation model is told its languages. Knows no graph. */
import { type Manifest, SOURCE, TARGET, type Translation } from "../bundle/manifest.js";
import { SatchelError, shown } from "../errors.js";
import type { Tokenizer } from "../tokenizer/tokenizer.js";

const SHOWN = 8; // languages in an error
const CODE = /^\s*>>([^<>]+)<</; // how a text itself names the language it is to be put into

type Role = typeof SOURCE | typeof TARGET;

export class Languages {
  private readonly told: Translation | null;

  constructor(private readonly manifest: Manifest) {
    this.told = manifest.translation;
  }

  /** Ids of a source text. Raises USAGE where a language is unknown or cannot be told. */
  encode(tokenizer: Tokenizer, text: string, sourceLang?: string, targetLang?: string): readonly number[] {
    const source = this.id(SOURCE, sourceLang);
    let target = this.id(TARGET, targetLang);
    const { told } = this;
    if (told === null) {
      return tokenizer.encode(text).ids;
    }
    let rest = text;
    const code = told.prefix.includes(TARGET) ? CODE.exec(text) : null;
    if (code !== null) {
      target = this.id(TARGET, code[1]!);
      rest = text.slice(code[0].length);
    }
    const ids = tokenizer.encode(rest, false).ids.map((id) => this.known(id));
    const around = (part: readonly (number | string)[]): number[] =>
      part
        .map((each) => (each === SOURCE ? source : each === TARGET ? target : each))
        .filter((each) => typeof each === "number");
    return [...around(told.prefix), ...ids, ...around(told.suffix)];
  }

  /** The id that a target in this language has behind its start, undefined for any. */
  forcedFirstToken(targetLang?: string): number | undefined {
    const id = this.id(TARGET, targetLang);
    return this.told?.target === "forced" ? id : undefined;
  }

  /** The id that a target in this language begins with, undefined for that of all targets. */
  start(targetLang?: string): number | undefined {
    const id = this.id(TARGET, targetLang);
    return this.told?.target === "start" ? id : undefined;
  }

  /** Raises USAGE where a target language is needed and none is given or the default. */
  requireTarget(targetLang?: string): void {
    const { told } = this;
    const needed = told !== null && Object.keys(told.languages).length > 0;
    if (needed && !targetLang && !told.target_lang) {
      throw SatchelError.usage(`targetLang is needed; ${near("", Object.keys(told.languages))}`);
    }
  }

  private known(id: number): number {
    const unknown = this.told?.unknown;
    return id < this.manifest.vocab_size || unknown === null || unknown === undefined ? id : unknown;
  }

  private id(role: Role, name: string | undefined): number | undefined {
    const { told } = this;
    if (name === undefined || name === null) {
      const usual = role === SOURCE ? told?.source_lang : told?.target_lang;
      return usual === null || usual === undefined ? undefined : told!.languages[usual];
    }
    if (told === null || Object.keys(told.languages).length === 0) {
      throw SatchelError.usage(`${role}Lang = ${shown(name)}: this bundle is told no languages`);
    }
    if (role === SOURCE && ![...told.prefix, ...told.suffix].includes(SOURCE)) {
      throw SatchelError.usage(`sourceLang = ${shown(name)}: this bundle is told the target alone`);
    }
    const id = Object.hasOwn(told.languages, name) ? told.languages[name] : undefined;
    if (id === undefined) {
      throw SatchelError.usage(
        `${role}Lang = ${shown(name, 40)} is unknown; ${near(name, Object.keys(told.languages))}`,
      );
    }
    return id;
  }
}

/** Languages that begin alike, or some. */
export function near(name: string, languages: readonly string[]): string {
  const sorted = [...languages].sort();
  const begin = String(name).slice(0, 2).toLowerCase();
  const alike = name === "" ? [] : sorted.filter((each) => each.toLowerCase().startsWith(begin));
  if (alike.length > 0) {
    return `near it: ${alike.slice(0, SHOWN).join(", ")}`;
  }
  const more = sorted.length > SHOWN ? ` and ${sorted.length - SHOWN} more` : "";
  return `known: ${sorted.slice(0, SHOWN).join(", ")}${more}`;
}
