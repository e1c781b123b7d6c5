/** A bundle in a folder of this machine. */
import { createReadStream, openAsBlob } from "node:fs";
import { lstat, open, readFile, realpath, stat } from "node:fs/promises";
import { basename, join, sep } from "node:path";
import { fileURLToPath } from "node:url";
import { SatchelError, shown, wordsOf } from "../errors.js";
import type { Source, Stored } from "./source.js";
import { ZipSource } from "./zip.js";

/** A folder, or a zip archive. */
export async function localBundle(where: string | URL): Promise<Source> {
  const path = where instanceof URL || where.startsWith("file:") ? fileURLToPath(where) : where;
  const archive = await stat(path).then(
    (found) => found.isFile(),
    () => false,
  );
  return archive ? new ZipSource(await openAsBlob(path), basename(path)) : new NodeFolder(path);
}

export class NodeFolder implements Source {
  readonly name: string;

  constructor(private readonly folder: string) {
    this.name = folder;
  }

  async exists(): Promise<boolean> {
    return stat(this.folder).then(
      () => true,
      () => false,
    );
  }

  async file(name: string, { most }: { most?: number } = {}): Promise<Stored | null> {
    const path = join(this.folder, name);
    let size: number;
    try {
      size = (await stat(path)).size;
    } catch (error) {
      return missing(error, path);
    }
    await this.checkInside(name, path);
    return {
      size,
      path,
      stream: () => streamed(path),
      bytes: async () => read(path, most),
    };
  }

  /** A link may not lead out of the bundle; a hard link is a file like any other. */
  private async checkInside(name: string, path: string): Promise<void> {
    const [home, real] = await Promise.all([realpath(this.folder), realpath(path)]);
    const regular = (await lstat(real)).isFile();
    if (!regular || !real.startsWith(home.endsWith(sep) ? home : home + sep)) {
      throw SatchelError.bundle(`${name} is not a regular file of the bundle`, "BUNDLE_PATH");
    }
  }
}

/** No such file, or a link that leads nowhere. */
function missing(error: unknown, path: string): null {
  if (["ENOENT", "ENOTDIR", "ELOOP"].includes((error as NodeJS.ErrnoException).code ?? "")) {
    return null;
  }
  throw unreadable(error, path);
}

function unreadable(error: unknown, path: string): SatchelError {
  return SatchelError.storage(`${shown(path)}: ${shown(wordsOf(error))}`, { cause: error });
}

async function* streamed(path: string): AsyncIterable<Uint8Array> {
  try {
    yield* createReadStream(path, { highWaterMark: 1 << 20 });
  } catch (error) {
    throw unreadable(error, path);
  }
}

/** All of a file, or its first bytes. */
async function read(path: string, most?: number): Promise<Uint8Array> {
  try {
    if (most === undefined) {
      return new Uint8Array(await readFile(path));
    }
    const file = await open(path);
    try {
      const { bytesRead, buffer } = await file.read(new Uint8Array(most), 0, most, 0);
      return buffer.subarray(0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (error) {
    throw unreadable(error, path);
  }
}
