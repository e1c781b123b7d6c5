/**
 * The errors a person can cause: one line that says what was found, what was expected, what to do. Only `code`
 * is stable. Codes and exit statuses are those of the Python runtime.
 */
export class SatchelError extends Error {
  override readonly name = "SatchelError";

  constructor(
    message: string,
    /** A stable name, for example "BUNDLE_HASH". */
    readonly code: string,
    /** What a command line exits with. */
    readonly exitStatus = 1,
    options?: ErrorOptions,
  ) {
    super(message.split(/\s+/).filter(Boolean).join(" "), options);
  }

  /** An option or argument that makes no sense. */
  static usage(message: string, code = "USAGE"): SatchelError {
    return new SatchelError(message, code, 2);
  }

  /** The bundle is not what its manifest says. */
  static bundle(message: string, code = "BUNDLE", options?: ErrorOptions): SatchelError {
    return new SatchelError(message, code, 4, options);
  }

  /** Valid input that this runtime does not turn into a right answer. */
  static unsupported(message: string): SatchelError {
    return new SatchelError(message, "UNSUPPORTED", 5);
  }

  /** Too long, too large, or out of memory. */
  static limit(message: string, code = "LIMIT", options?: ErrorOptions): SatchelError {
    return new SatchelError(message, code, 6, options);
  }

  /** Reading, fetching or keeping files failed. */
  static storage(message: string, options?: ErrorOptions): SatchelError {
    return new SatchelError(message, "STORAGE", 7, options);
  }
}

/** The words of whatever was thrown. */
export function wordsOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

/**
 * A name that came from a file, safe to print: quoted, ASCII, escaped, cut at `limit` characters, as Python's
 * `ascii` writes it. Numbers, true, false and nothing stand without quotes.
 */
export function shown(name: unknown, limit = 120): string {
  if (name === null || name === undefined) {
    return "None";
  }
  if (typeof name === "boolean") {
    return name ? "True" : "False";
  }
  if (typeof name === "number" || typeof name === "bigint") {
    const text = String(name);
    return text.length <= limit ? text : `${text.slice(0, limit - 3)}...`;
  }
  const text = quoted(String(name));
  return text.length <= limit ? text : `${text.slice(0, limit - 4)}...'`;
}

const BREAKS: Record<string, string> = { "\n": "\\n", "\r": "\\r", "\t": "\\t" };

function quoted(text: string): string {
  const quote = text.includes("'") && !text.includes('"') ? '"' : "'";
  let out = quote;
  for (const letter of text) {
    const code = letter.codePointAt(0)!;
    if (letter === quote || letter === "\\") {
      out += `\\${letter}`;
    } else if (code >= 32 && code < 127) {
      out += letter;
    } else {
      out += BREAKS[letter] ?? escaped(code);
    }
  }
  return out + quote;
}

function escaped(code: number): string {
  const [mark, digits] = code < 256 ? ["x", 2] : code < 65536 ? ["u", 4] : ["U", 8];
  return `\\${mark}${code.toString(16).padStart(digits as number, "0")}`;
}
