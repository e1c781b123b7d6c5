/** Zip archives, written for tests. */
import { deflateRawSync } from "node:zlib";
import { crc32 } from "../src/store/inflated.js";

export function zip(files: [path: string, bytes: Uint8Array][], stored = false): Uint8Array<ArrayBuffer> {
  const parts: Uint8Array[] = [];
  const directory: Uint8Array[] = [];
  let offset = 0;
  for (const [path, bytes] of files) {
    const name = new TextEncoder().encode(path);
    const packed = stored ? bytes : new Uint8Array(deflateRawSync(bytes));
    const common = numbers([20, 2], [0x800, 2], [stored ? 0 : 8, 2], [0, 4], [crc32(bytes), 4]);
    const sizes = numbers([packed.length, 4], [bytes.length, 4], [name.length, 2], [0, 2]);
    const local = [numbers([0x04034b50, 4]), common, sizes, name, packed];
    const rest = numbers([0, 2], [0, 2], [0, 2], [0, 4], [offset, 4]);
    directory.push(numbers([0x02014b50, 4], [20, 2]), common, sizes, rest, name);
    parts.push(...local);
    offset += local.reduce((sum, part) => sum + part.length, 0);
  }
  const size = directory.reduce((sum, part) => sum + part.length, 0);
  const end = numbers(
    [0x06054b50, 4],
    [0, 4],
    [files.length, 2],
    [files.length, 2],
    [size, 4],
    [offset, 4],
    [0, 2],
  );
  return new Uint8Array(Buffer.concat([...parts, ...directory, end]));
}

function numbers(...fields: [value: number, size: number][]): Uint8Array {
  const view = new DataView(new ArrayBuffer(fields.reduce((sum, [, size]) => sum + size, 0)));
  let at = 0;
  for (const [value, size] of fields) {
    for (let byte = 0; byte < size; byte += 1) {
      view.setUint8(at + byte, Math.floor(value / 256 ** byte) & 255);
    }
    at += size;
  }
  return new Uint8Array(view.buffer);
}
