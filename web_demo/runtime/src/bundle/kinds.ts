/** What kind of value a field has: checked strictly, refused by the field's name. */
import { SatchelError, shown } from "../errors.js";
import { plain, Real, type Tree } from "./json.js";

export const MANIFEST = "manifest.json";

/** Reads a value of a JSON tree as a `T`; `where` is the name that an error has. */
export interface Kind<T> {
  read(value: Tree, where: string): T;
}

export type TypeOf<K> = K extends Kind<infer T> ? T : never;

function kind<T>(fits: (value: Tree) => boolean, read: (value: Tree) => T): Kind<T> {
  return {
    read(value, where) {
      if (!fits(value)) {
        throw wrongType(value, where);
      }
      return read(value);
    },
  };
}

function wrongType(value: Tree, where: string): SatchelError {
  return SatchelError.bundle(`${MANIFEST}: ${where} = ${shownTree(value)} has the wrong type`);
}

export const text: Kind<string> = kind(
  (value) => typeof value === "string",
  (value) => value as string,
);

/** A whole number; one beyond 2^53 is not exact, and beyond what any field may be. */
export const whole: Kind<number> = kind(
  (value) => typeof value === "number" || typeof value === "bigint",
  (value) => Number(value),
);

export const toggle: Kind<boolean> = kind(
  (value) => typeof value === "boolean",
  (value) => value as boolean,
);

export const wholeOrText: Kind<number | string> = {
  read: (value, where) =>
    /number|bigint/.test(typeof value) ? whole.read(value, where) : text.read(value, where),
};

/** An object of anything: its values are not looked at here. */
export const open: Kind<Record<string, unknown>> = kind(
  (value) => value instanceof Map,
  (value) => plain(value) as Record<string, unknown>,
);

export function optional<T>(inner: Kind<T>): Kind<T | null> {
  return { read: (value, where) => (value === null ? null : inner.read(value, where)) };
}

export function list<T>(inner: Kind<T>): Kind<T[]> {
  return {
    read(value, where) {
      if (!Array.isArray(value)) {
        throw wrongType(value, where);
      }
      return value.map((item) => inner.read(item, where));
    },
  };
}

/** An object with any keys. */
export function mapping<T>(inner: Kind<T>): Kind<Record<string, T>> {
  return {
    read(value, where) {
      if (!(value instanceof Map)) {
        throw wrongType(value, where);
      }
      const read: Record<string, T> = Object.create(null);
      for (const [name, item] of value) {
        read[name] = inner.read(item, `${where} ${shown(name, 40)}`);
      }
      return read;
    },
  };
}

type Kinds = Record<string, Kind<unknown>>;
type Required<K extends Kinds> = { [N in keyof K]: TypeOf<K[N]> };
type Defaults<K extends Kinds> = { [N in keyof K]: () => TypeOf<K[N]> };

/** An object with these keys: those of `needed`, and of `may`, whose `defaults` stand where they are absent. */
export function record<N extends Kinds, M extends Kinds>(
  needed: N,
  may: M,
  defaults: Defaults<M>,
): Kind<Required<N> & Required<M>> {
  return {
    read(value, where) {
      if (!(value instanceof Map)) {
        throw wrongType(value, where);
      }
      for (const name of Object.keys(needed)) {
        if (!value.has(name)) {
          throw SatchelError.bundle(`${MANIFEST}: ${where} lacks ${name}`);
        }
      }
      const kinds: Kinds = { ...needed, ...may };
      for (const name of value.keys()) {
        if (!Object.hasOwn(kinds, name)) {
          throw SatchelError.bundle(`${MANIFEST}: ${where} has ${shown(name)}, which is unknown here`);
        }
      }
      const read: Record<string, unknown> = {};
      for (const name of Object.keys(may)) {
        read[name] = defaults[name]!();
      }
      for (const [name, item] of value) {
        read[name] = kinds[name]!.read(item, name);
      }
      return read as Required<N> & Required<M>;
    },
  };
}

/** A value of a file for an error, as Python's runtime shows it. */
export function shownTree(value: Tree | undefined): string {
  if (value === null || value === undefined || typeof value === "string" || typeof value === "boolean") {
    return shown(value);
  }
  if (typeof value === "number" || typeof value === "bigint") {
    return shown(value);
  }
  const words = written(value);
  return value instanceof Real ? words : shown(words);
}

function written(value: Tree): string {
  if (value instanceof Map) {
    return `{${[...value].map(([key, item]) => `${shown(key, 999)}: ${written(item)}`).join(", ")}}`;
  }
  if (Array.isArray(value)) {
    return `[${value.map(written).join(", ")}]`;
  }
  if (value instanceof Real) {
    return Number.isInteger(value.value) && Math.abs(value.value) < 1e16
      ? `${value.value}.0`
      : String(value.value);
  }
  return shown(value, 999);
}
