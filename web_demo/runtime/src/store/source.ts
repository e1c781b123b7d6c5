/** Where the files of a bundle come from. */
import type { Pieces } from "../session/session.js";
import { hasher, sha256 } from "./sha256.js";

/** A file that is there. */
export interface Stored {
  readonly size: number;
  /** Its hash in hexadecimal, where it was computed as the file came. */
  readonly sha256?: string;
  /** Where it lies, in Node: ONNX Runtime then maps it into memory. */
  readonly path?: string;
  /** All of it, one piece after the other. */
  stream(): AsyncIterable<Uint8Array>;
  bytes(): Promise<Uint8Array>;
  /** To be read piece by piece without waiting, where that is possible; not all of it is in memory then. */
  pieces?(): Pieces | undefined;
}

/** What a file is expected to be. */
export interface Expected {
  readonly size: number;
  readonly sha256: string;
}

/** What goes on while files are fetched and checked. */
export interface Progress {
  readonly file: string;
  /** Bytes of all files that are there, and that there will be. */
  readonly loaded: number;
  readonly total: number;
}

export interface Asked {
  /** Raises what it was aborted with. */
  readonly signal?: AbortSignal | undefined;
  /** Told of bytes that came. */
  readonly onBytes?: ((count: number) => void) | undefined;
}

export interface Source {
  /** For errors. */
  readonly name: string;
  /** Whether there is anything at all. */
  exists(): Promise<boolean>;
  /**
   * A file, fetched if need be; null where there is none. Raises BUNDLE_PATH where it is no regular file of the
   * bundle. Without `expected`, at most `most` bytes of it are wanted.
   */
  file(name: string, asked: Asked & { expected?: Expected; most?: number }): Promise<Stored | null>;
}

const AT_ONCE = 2 ** 28; // bytes that are hashed by WebCrypto, which wants all of them in memory

/** The hash of a file, in hexadecimal; told of what was read, if it is read piece by piece. */
export async function hashOf(file: Stored, signal?: AbortSignal): Promise<string> {
  if (file.sha256 !== undefined) {
    return file.sha256;
  }
  const inNode = globalThis.process?.versions?.node !== undefined;
  if (!inNode && file.size <= AT_ONCE && globalThis.crypto?.subtle !== undefined) {
    return sha256(await file.bytes());
  }
  const hash = hasher();
  for await (const piece of file.stream()) {
    signal?.throwIfAborted();
    hash.update(piece);
  }
  return hash.digest();
}

/** Bytes in memory, as a file. */
export function memory(bytes: Uint8Array, sha256?: string): Stored {
  return {
    size: bytes.byteLength,
    ...(sha256 !== undefined && { sha256 }),
    async *stream() {
      yield bytes;
    },
    bytes: async () => bytes,
    pieces: () => bytes,
  };
}
