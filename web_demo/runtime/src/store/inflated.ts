/** A file that was packed: unpacked as it is read, held against the size and the sum that the archive has for it. */
import { SatchelError } from "../errors.js";
import type { Stored } from "./source.js";
import { refused } from "./zip-directory.js";

const CRC_STEPS = Uint32Array.from({ length: 256 }, (_, byte) => {
  let crc = byte;
  for (let bit = 0; bit < 8; bit += 1) {
    crc = crc & 1 ? (crc >>> 1) ^ 0xedb88320 : crc >>> 1;
  }
  return crc;
});

/** CRC-32 of what came before, and of these bytes. */
export function crc32(bytes: Uint8Array, before = 0): number {
  let crc = ~before;
  for (const byte of bytes) {
    crc = CRC_STEPS[(crc ^ byte) & 255]! ^ (crc >>> 8);
  }
  return ~crc >>> 0;
}

export class Inflated implements Stored {
  constructor(
    readonly size: number,
    private readonly crc: number,
    private readonly open: () => AsyncIterable<Uint8Array>,
  ) {}

  async *stream(): AsyncIterable<Uint8Array> {
    let size = 0;
    let crc = 0;
    try {
      for await (const piece of this.open()) {
        size += piece.byteLength;
        if (size > this.size) {
          break;
        }
        crc = crc32(piece, crc);
        yield piece;
      }
    } catch (error) {
      throw (error as Error | null)?.name === "AbortError" ? error : refused("it is damaged");
    }
    if (size !== this.size || crc !== this.crc) {
      throw refused("it is damaged");
    }
  }

  async bytes(): Promise<Uint8Array> {
    return collected(this.stream(), this.size);
  }
}

/** All pieces in one, whose size is known. */
export async function collected(pieces: AsyncIterable<Uint8Array>, size: number): Promise<Uint8Array> {
  const bytes = room(size);
  let at = 0;
  for await (const piece of pieces) {
    bytes.set(piece, at);
    at += piece.byteLength;
  }
  return bytes;
}

/** Memory for a file; OUT_OF_MEMORY where the platform has none. */
export function room(size: number): Uint8Array {
  try {
    return new Uint8Array(size);
  } catch {
    throw SatchelError.limit(`out of memory: a file has ${size} bytes`, "OUT_OF_MEMORY");
  }
}
