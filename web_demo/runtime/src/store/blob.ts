/** A file that the browser holds: chosen by a person, out of an archive, or kept. */
import { SatchelError, wordsOf } from "../errors.js";
import type { Pieces } from "../session/session.js";
import type { Stored } from "./source.js";

/** Only there in a worker, where waiting is allowed. */
interface SyncReader {
  readAsArrayBuffer(blob: Blob): ArrayBuffer;
}

export function fromBlob(blob: Blob): Stored {
  return {
    size: blob.size,
    stream: () => readablePieces(blob),
    bytes: async () => new Uint8Array(await readable(blob.arrayBuffer())),
    pieces: () => syncPieces(blob),
  };
}

async function* readablePieces(blob: Blob): AsyncIterable<Uint8Array> {
  try {
    yield* piecesOf(blob.stream());
  } catch (error) {
    throw unreadable(error);
  }
}

/** A stream as pieces; in some browsers it cannot be iterated over. */
export async function* piecesOf(stream: ReadableStream<Uint8Array>): AsyncIterable<Uint8Array> {
  const reader = stream.getReader();
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) {
        return;
      }
      yield value;
    }
  } finally {
    await reader.cancel().catch(() => undefined);
  }
}

function syncPieces(blob: Blob): Pieces | undefined {
  const Reader = (globalThis as { FileReaderSync?: new () => SyncReader }).FileReaderSync;
  if (Reader === undefined) {
    return undefined;
  }
  const reader = new Reader();
  return {
    byteLength: blob.size,
    subarray: (start, end) => new Uint8Array(reader.readAsArrayBuffer(blob.slice(start, end))),
  };
}

async function readable<T>(promise: Promise<T>): Promise<T> {
  try {
    return await promise;
  } catch (error) {
    throw unreadable(error);
  }
}

function unreadable(error: unknown): unknown {
  const ours = error instanceof SatchelError || (error as Error | null)?.name === "AbortError";
  return ours ? error : SatchelError.storage(`a file cannot be read: ${wordsOf(error)}`, { cause: error });
}
