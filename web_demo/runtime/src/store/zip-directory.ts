/** The list of entries at the end of a zip archive. */
import { SatchelError } from "../errors.js";

export interface Entry {
  readonly path: string;
  readonly method: number;
  readonly encrypted: boolean;
  readonly crc: number;
  /** Bytes in the archive, and of the file. */
  readonly packed: number;
  readonly size: number;
  /** Where its local header begins. */
  readonly offset: number;
}

const END = 0x06054b50;
const END_SIZE = 22;
const LONGEST_COMMENT = 0xffff;
const END_64 = 0x06064b50;
const PLACE_64 = 0x07064b50;
const PLACE_64_SIZE = 20;
const ENTRY = 0x02014b50;
const ENTRY_SIZE = 46;
const MOST_DIRECTORY = 1 << 20;
const IN_64 = 0xffffffff;

export function refused(why: string): SatchelError {
  return SatchelError.bundle(`the archive cannot be read: ${why}`);
}

/** All entries; BUNDLE where it is no archive, or an empty one, or has more than `most` entries. */
export async function directoryOf(archive: Blob, most: number): Promise<Entry[]> {
  const { offset, size, count } = await place(archive);
  if (count > most) {
    throw refused(`it has more than ${most} entries`);
  }
  if (count === 0 || size > MOST_DIRECTORY || offset + size > archive.size) {
    throw refused(count === 0 ? "it is empty" : "its list of entries is damaged");
  }
  const view = await read(archive, offset, offset + size);
  const entries: Entry[] = [];
  let at = 0;
  for (let index = 0; index < count; index += 1) {
    if (at + ENTRY_SIZE > view.byteLength || view.getUint32(at, true) !== ENTRY) {
      throw refused("its list of entries is damaged");
    }
    const [name, extra, comment] = [28, 30, 32].map((field) => view.getUint16(at + field, true)) as Triple;
    const end = at + ENTRY_SIZE + name + extra + comment;
    if (end > view.byteLength) {
      throw refused("its list of entries is damaged");
    }
    entries.push(entryOf(view, at, name, extra));
    at = end;
  }
  return entries;
}

type Triple = [number, number, number];

function entryOf(view: DataView, at: number, nameSize: number, extraSize: number): Entry {
  const from = at + ENTRY_SIZE;
  let path: string;
  try {
    const bytes = new Uint8Array(view.buffer, view.byteOffset + from, nameSize);
    path = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw refused("a name is not UTF-8");
  }
  const fields = [24, 20, 42].map((field) => view.getUint32(at + field, true)) as Triple;
  const [size, packed, offset] = fields.includes(IN_64)
    ? wide(new DataView(view.buffer, view.byteOffset + from + nameSize, extraSize), fields)
    : fields;
  return {
    path,
    method: view.getUint16(at + 10, true),
    encrypted: (view.getUint16(at + 8, true) & 1) === 1,
    crc: view.getUint32(at + 16, true),
    packed,
    size,
    offset,
  };
}

/** Numbers that 32 bits cannot hold stand in an extra field, in this order. */
function wide(extra: DataView, fields: Triple): Triple {
  for (let at = 0; at + 4 <= extra.byteLength; at += 4 + extra.getUint16(at + 2, true)) {
    if (extra.getUint16(at, true) !== 1) {
      continue;
    }
    let place = at + 4;
    return fields.map((field) => {
      if (field !== IN_64) {
        return field;
      }
      if (place + 8 > extra.byteLength) {
        throw refused("its list of entries is damaged");
      }
      place += 8;
      return Number(extra.getBigUint64(place - 8, true));
    }) as Triple;
  }
  throw refused("its list of entries is damaged");
}

/** Where the list of entries lies. */
async function place(archive: Blob): Promise<{ offset: number; size: number; count: number }> {
  const from = Math.max(0, archive.size - END_SIZE - LONGEST_COMMENT - PLACE_64_SIZE);
  const tail = await read(archive, from, archive.size);
  for (let at = tail.byteLength - END_SIZE; at >= 0; at -= 1) {
    if (
      tail.getUint32(at, true) === END &&
      at + END_SIZE + tail.getUint16(at + 20, true) <= tail.byteLength
    ) {
      const far = at >= PLACE_64_SIZE && tail.getUint32(at - PLACE_64_SIZE, true) === PLACE_64;
      if (far) {
        return place64(archive, Number(tail.getBigUint64(at - PLACE_64_SIZE + 8, true)));
      }
      return {
        count: tail.getUint16(at + 10, true),
        size: tail.getUint32(at + 12, true),
        offset: tail.getUint32(at + 16, true),
      };
    }
  }
  throw refused("it is no archive, or was cut short");
}

async function place64(
  archive: Blob,
  offset: number,
): Promise<{ offset: number; size: number; count: number }> {
  const view = await read(archive, offset, offset + 56);
  if (view.byteLength < 56 || view.getUint32(0, true) !== END_64) {
    throw refused("its list of entries is damaged");
  }
  const [count, size, start] = [32, 40, 48].map((field) => Number(view.getBigUint64(field, true))) as Triple;
  return { count, size, offset: start };
}

async function read(archive: Blob, start: number, end: number): Promise<DataView> {
  try {
    return new DataView(await archive.slice(start, end).arrayBuffer());
  } catch (error) {
    throw SatchelError.storage("the archive cannot be read", { cause: error });
  }
}
