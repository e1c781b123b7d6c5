/** Ids to text as they come. Knows no model. */
import type { Tokenizer } from "../tokenizer/tokenizer.js";

const PATIENCE = 32; // ids whose text may wait: more than any script needs, little enough to decode again
const BYTE_TOKEN = /^<0x[0-9A-Fa-f]{2}>$/;

/**
 * Turns ids into pieces of text: whole characters only, nothing of a stop string. The pieces and `close` are the text up to
 * the stop string complete first. What later ids may change waits for at most PATIENCE ids.
 */
export class TextPieces {
  stopped = false;
  private ids: number[] = []; // a window: the ids of the last piece and those since
  private settled = 0; // how many of them are in text that was handed on
  private held = ""; // text that may be the start of a stop string

  constructor(
    private readonly tokenizer: Tokenizer,
    private readonly stop: readonly string[] = [],
  ) {}

  /** The text that `token` completes, possibly none. */
  add(token: number): string {
    if (this.decode([token, token]) === "") {
      return ""; // a special token, or none at all; twice, because a decoder may strip a first space
    }
    this.ids.push(token);
    const end = this.whole();
    const before = this.decode(this.ids.slice(0, this.settled));
    const piece = cut(this.decode(this.ids.slice(0, end)), before);
    if (piece !== "") {
      // The settled ids stay in the window: decoders treat the first id of a text differently.
      this.ids.splice(0, this.settled);
      this.settled = end - this.settled;
    }
    return this.untilStop(piece);
  }

  /** The rest when no more ids come: an unfinished character becomes a replacement. */
  close(): string {
    if (this.stopped) {
      return "";
    }
    const before = this.decode(this.ids.slice(0, this.settled));
    const rest = this.untilStop(cut(this.decode(this.ids), before)) + this.held;
    this.held = "";
    return rest;
  }

  /** How many ids of the window are in text that later ids leave as it is. */
  private whole(): number {
    const size = this.ids.length;
    if (size - this.settled <= PATIENCE) {
      // One wrong byte makes a byte-fallback decoder give up all bytes in a row.
      const waits = BYTE_TOKEN.test(this.tokenizer.idToToken(this.ids.at(-1)!) ?? "");
      return waits || this.broken(size) ? this.settled : size;
    }
    // A character has at most four bytes. Where the last four ids end none, they are not text.
    for (let end = size; end > size - 4; end--) {
      if (!this.broken(end)) {
        return end;
      }
    }
    return size - 4;
  }

  private broken(end: number): boolean {
    return this.decode(this.ids.slice(0, end)).endsWith("\ufffd");
  }

  private decode(ids: readonly number[]): string {
    return ids.length > 0 ? this.tokenizer.decode(ids) : "";
  }

  private untilStop(piece: string): string {
    if (this.stop.length === 0) {
      return piece;
    }
    const text = this.held + piece;
    // Whichever is complete first, so that it does not matter how the text came in pieces.
    const hits = this.stop
      .map((stop) => ({ stop, at: text.indexOf(stop) }))
      .filter(({ at }) => at >= 0)
      .sort((a, b) => a.at + a.stop.length - b.at - b.stop.length || a.at - b.at);
    if (hits[0] !== undefined) {
      this.stopped = true;
      this.held = "";
      return text.slice(0, hits[0].at);
    }
    const hold = Math.max(...this.stop.map((stop) => overlap(text, stop)));
    this.held = text.slice(text.length - hold);
    return text.slice(0, text.length - hold);
  }
}

/** `text` without as many characters at its beginning as `before` has. */
function cut(text: string, before: string): string {
  const skip = [...before].length;
  return skip === before.length ? text.slice(skip) : [...text].slice(skip).join("");
}

/** Length of the longest end of `text` that begins `stop`. */
function overlap(text: string, stop: string): number {
  for (let length = Math.min(stop.length - 1, text.length); length > 0; length--) {
    if (text.endsWith(stop.slice(0, length))) {
      return length;
    }
  }
  return 0;
}
