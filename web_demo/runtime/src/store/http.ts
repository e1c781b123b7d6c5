/** A bundle on a web server: fetched file by file, kept where the browser can, and taken up where it broke off. */
import { SatchelError, shown, wordsOf } from "../errors.js";
import { piecesOf } from "./blob.js";
import { room } from "./inflated.js";
import type { Keeper, Writer } from "./keep.js";
import { hasher } from "./sha256.js";
import { type Asked, type Expected, hashOf, memory, type Source, type Stored } from "./source.js";

const ATTEMPTS = 5; // in a row that brought nothing
const PAUSE = 500; // milliseconds, doubled each time

export interface HttpOptions {
  keeper?: Keeper | null | undefined;
  onWarning?: ((message: string) => void) | undefined;
  /** Milliseconds before the second attempt. */
  pause?: number | undefined;
}

/** Where bytes go while they come. */
interface Sink {
  readonly written: number;
  append(bytes: Uint8Array): Promise<void>;
  restart(): Promise<void>;
}

export class HttpFolder implements Source {
  readonly name: string;
  private readonly base: URL;

  constructor(
    url: URL,
    private readonly options: HttpOptions = {},
  ) {
    this.base = new URL(url);
    this.base.hash = "";
    if (!this.base.pathname.endsWith("/")) {
      this.base.pathname += "/";
    }
    this.name = this.base.href;
  }

  async exists(): Promise<boolean> {
    return true;
  }

  async file(
    name: string,
    asked: Asked & { expected?: Expected; most?: number } = {},
  ): Promise<Stored | null> {
    const url = new URL(encodeURIComponent(name), this.base);
    url.search = this.base.search;
    const { expected } = asked;
    if (expected === undefined) {
      return whole(url, asked.most ?? Number.POSITIVE_INFINITY, asked.signal);
    }
    return (await this.kept(expected, asked)) ?? this.fetched(url, name, expected, asked);
  }

  /** A file that was fetched before, if it is as it was. */
  private async kept(expected: Expected, asked: Asked): Promise<Stored | null> {
    const file = await this.options.keeper?.get(expected);
    if (file === null || file === undefined) {
      return null;
    }
    const sha256 = await hashOf(file, asked.signal);
    if (sha256 !== expected.sha256) {
      await this.options.keeper?.remove(expected);
      return null;
    }
    asked.onBytes?.(file.size);
    return { ...bound(file), sha256 };
  }

  private async fetched(url: URL, name: string, expected: Expected, asked: Asked): Promise<Stored | null> {
    const { keeper, onWarning } = this.options;
    const plain = /^[0-9a-f]{64}$/.test(expected.sha256);
    const writer = plain ? ((await keeper?.begin(expected, onWarning)) ?? null) : null;
    if (writer === null) {
      return this.intoMemory(url, name, expected, asked);
    }
    const head: Uint8Array[] = [];
    let sha256: string | null;
    try {
      sha256 = await this.written(url, name, expected, asked, writer, head);
    } catch (error) {
      if (error instanceof SatchelError && error.code === "DISK_FULL") {
        await writer.restart();
        onWarning?.(`${error.message}: ${name} is not kept`);
        return this.intoMemory(url, name, expected, asked);
      }
      throw error;
    } finally {
      await writer.close();
    }
    if (sha256 === null) {
      await keeper?.remove(expected);
      return null;
    }
    const file = await keeper?.get(expected);
    if (file === null || file === undefined || sha256 !== expected.sha256) {
      await keeper?.remove(expected);
      return { ...memory(head[0] ?? new Uint8Array(), sha256), size: writer.written };
    }
    return { ...bound(file), sha256 };
  }

  /** The hash of what was written, and in `head` how it begins; what was there from a broken download may turn out to be of no use. */
  private async written(
    url: URL,
    name: string,
    expected: Expected,
    asked: Asked,
    writer: Writer,
    head: Uint8Array[],
  ): Promise<string | null> {
    let hash = hasher();
    const resumed = writer.written;
    for await (const piece of resumed > 0 ? writer.existing() : []) {
      hash.update(piece);
    }
    asked.onBytes?.(resumed);
    const sink: Sink = {
      get written() {
        return writer.written;
      },
      async append(bytes) {
        if (writer.written === 0) {
          head[0] = bytes.slice(0, 64);
        }
        hash.update(bytes);
        await writer.append(bytes);
      },
      async restart() {
        hash = hasher();
        await writer.restart();
      },
    };
    if (!(await this.fill(url, name, expected.size, asked, sink))) {
      return null;
    }
    const sha256 = hash.digest();
    if (sha256 !== expected.sha256 && resumed > 0 && writer.written === expected.size) {
      asked.onBytes?.(-writer.written);
      await writer.restart();
      return this.written(url, name, expected, asked, writer, head);
    }
    return sha256;
  }

  private async intoMemory(url: URL, name: string, expected: Expected, asked: Asked): Promise<Stored | null> {
    let hash = hasher();
    const bytes = room(expected.size);
    let size = 0;
    const sink: Sink = {
      get written() {
        return size;
      },
      async append(piece) {
        hash.update(piece);
        if (size < bytes.byteLength) {
          bytes.set(piece.subarray(0, bytes.byteLength - size), size);
        }
        size += piece.byteLength;
      },
      async restart() {
        hash = hasher();
        size = 0;
      },
    };
    if (!(await this.fill(url, name, expected.size, asked, sink))) {
      return null;
    }
    const file = memory(bytes.subarray(0, Math.min(size, bytes.byteLength)), hash.digest());
    return { ...file, size };
  }

  /** Fetches what is missing, over again where the connection breaks. False where there is no such file. */
  private async fill(url: URL, name: string, size: number, asked: Asked, sink: Sink): Promise<boolean> {
    let failures = 0;
    for (;;) {
      const before = sink.written;
      try {
        return await once(url, size, asked, sink);
      } catch (error) {
        asked.signal?.throwIfAborted();
        if (error instanceof SatchelError) {
          throw error;
        }
        failures = sink.written > before ? 1 : failures + 1;
        if (failures >= ATTEMPTS) {
          throw SatchelError.storage(`${shown(name)} cannot be fetched: ${wordsOf(error)}`, { cause: error });
        }
        await pause((this.options.pause ?? PAUSE) * 2 ** (failures - 1), asked.signal);
      }
    }
  }
}

/** The methods of a file, which are bound to it. */
function bound(file: Stored): Stored {
  return {
    size: file.size,
    stream: () => file.stream(),
    bytes: () => file.bytes(),
    pieces: () => file.pieces?.(),
  };
}

/** One request. Ends early when more comes than the file may have. */
async function once(url: URL, size: number, asked: Asked, sink: Sink): Promise<boolean> {
  if (sink.written === size && size > 0) {
    return true;
  }
  const from = sink.written;
  const response = await fetch(url, {
    ...(asked.signal !== undefined && { signal: asked.signal }),
    ...(from > 0 && { headers: { Range: `bytes=${from}-` } }),
  });
  if (response.status === 404 || response.status === 410) {
    await response.body?.cancel();
    return false;
  }
  const whole = response.status === 200 || response.status === 416;
  const begins = /^bytes (\d+)-/.exec(response.headers.get("content-range") ?? "")?.[1];
  if (from > 0 && (whole || (begins !== undefined && Number(begins) !== from))) {
    asked.onBytes?.(-from);
    await sink.restart();
  }
  if (!response.ok || (begins !== undefined && Number(begins) !== sink.written)) {
    await response.body?.cancel();
    throw retryable(response.status)
      ? new Error(`the server says ${response.status}`)
      : SatchelError.storage(`${shown(url.href)}: the server says ${response.status}`);
  }
  for await (const piece of response.body === null ? [] : piecesOf(response.body)) {
    await sink.append(piece);
    asked.onBytes?.(piece.byteLength);
    if (sink.written > size) {
      return true;
    }
  }
  return true;
}

function retryable(status: number): boolean {
  return status >= 500 || [200, 206, 408, 416, 425, 429].includes(status);
}

/** A small file whose size is not known. */
async function whole(url: URL, most: number, signal?: AbortSignal): Promise<Stored | null> {
  let response: Response;
  try {
    response = await fetch(url, { cache: "no-cache", ...(signal !== undefined && { signal }) });
  } catch (error) {
    signal?.throwIfAborted();
    throw SatchelError.storage(`${shown(url.href)} cannot be fetched: ${wordsOf(error)}`, { cause: error });
  }
  if (response.status === 404 || response.status === 410) {
    await response.body?.cancel();
    return null;
  }
  if (!response.ok) {
    throw SatchelError.storage(`${shown(url.href)}: the server says ${response.status}`);
  }
  const pieces: Uint8Array<ArrayBuffer>[] = [];
  let size = 0;
  for await (const piece of response.body === null ? [] : piecesOf(response.body)) {
    pieces.push(piece as Uint8Array<ArrayBuffer>);
    size += piece.byteLength;
    if (size >= most) {
      break;
    }
  }
  const bytes = new Uint8Array(await new Blob(pieces).arrayBuffer());
  return memory(bytes.subarray(0, Math.min(size, most)));
}

/** Waits, unless it is told to end. */
function pause(time: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const end = () => {
      clearTimeout(timer);
      signal?.removeEventListener("abort", end);
      if (signal?.aborted) {
        reject(signal.reason as Error);
      } else {
        resolve();
      }
    };
    const timer = setTimeout(end, time);
    signal?.addEventListener("abort", end);
  });
}
