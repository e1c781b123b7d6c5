/**
 * Files that were fetched, kept by their sha256 in the browser's own file system (OPFS), so that they are fetched
 * once, and go on where a connection broke. What is kept is checked again whenever it is read.
 */
import { SatchelError, wordsOf } from "../errors.js";
import { fromBlob } from "./blob.js";
import type { Expected, Stored } from "./source.js";

/** A file that is being written. */
export interface Writer {
  /** Bytes that are there already. */
  readonly written: number;
  /** Those bytes. */
  existing(): AsyncIterable<Uint8Array>;
  append(bytes: Uint8Array): Promise<void>;
  /** Begins anew. */
  restart(): Promise<void>;
  /** Must be called in the end; what was written stays. */
  close(): Promise<void>;
}

export interface Keeper {
  /** A file that is whole, by its size. */
  get(expected: Expected): Promise<Stored | null>;
  /** Null where it cannot be kept: `onWarning` was told why. */
  begin(expected: Expected, onWarning?: (message: string) => void): Promise<Writer | null>;
  remove(expected: Expected): Promise<void>;
}

const FOLDER = "satchel-bundles";
const HASH = /^[0-9a-f]{64}$/;
const TO_SPARE = 1 << 24; // bytes that others may need

/** The browser's file system; null where there is none, as in Node or on a page that is not secure. */
export async function opfsKeeper(): Promise<OpfsKeeper | null> {
  try {
    const root = await globalThis.navigator.storage.getDirectory();
    return new OpfsKeeper(await root.getDirectoryHandle(FOLDER, { create: true }));
  } catch {
    return null;
  }
}

/** What is kept, whole or in part. */
export async function kept(): Promise<{ sha256: string; bytes: number }[]> {
  const keeper = await opfsKeeper();
  return keeper === null ? [] : keeper.all();
}

/** Removes all that is kept. */
export async function forget(): Promise<void> {
  const root = await globalThis.navigator?.storage?.getDirectory();
  await root?.removeEntry(FOLDER, { recursive: true }).catch((error: unknown) => {
    if ((error as Error | null)?.name !== "NotFoundError") {
      throw SatchelError.storage(`kept files cannot be removed: ${wordsOf(error)}`, { cause: error });
    }
  });
}

class OpfsKeeper implements Keeper {
  constructor(private readonly folder: FileSystemDirectoryHandle) {}

  async all(): Promise<{ sha256: string; bytes: number }[]> {
    const files: { sha256: string; bytes: number }[] = [];
    for await (const [sha256, handle] of this.folder.entries()) {
      if (handle.kind === "file") {
        files.push({ sha256, bytes: (await (handle as FileSystemFileHandle).getFile()).size });
      }
    }
    return files;
  }

  async get(expected: Expected): Promise<Stored | null> {
    try {
      const file = await (await this.folder.getFileHandle(nameOf(expected))).getFile();
      return file.size === expected.size ? fromBlob(file) : null;
    } catch {
      return null;
    }
  }

  async begin(expected: Expected, onWarning?: (message: string) => void): Promise<Writer | null> {
    try {
      const handle = await this.folder.getFileHandle(nameOf(expected), { create: true });
      const before = await handle.getFile();
      const usable = before.size < expected.size ? before : new Blob();
      const { quota, usage } = await globalThis.navigator.storage.estimate();
      const needed = expected.size - usable.size + TO_SPARE;
      if (quota !== undefined && usage !== undefined && quota - usage < needed) {
        const free = Math.max(0, Math.floor((quota - usage) / 1e6));
        onWarning?.(
          `no room to keep a file of ${expected.size} bytes: the browser has ${free} MB left for this page`,
        );
        return null;
      }
      return await openWriter(handle, usable);
    } catch (error) {
      // Another tab may be writing the same file.
      onWarning?.(`a file cannot be kept: ${wordsOf(error)}`);
      return null;
    }
  }

  async remove(expected: Expected): Promise<void> {
    await this.folder.removeEntry(nameOf(expected)).catch(() => undefined);
  }
}

function nameOf(expected: Expected): string {
  if (!HASH.test(expected.sha256)) {
    throw SatchelError.usage("not the name of a kept file");
  }
  return expected.sha256;
}

/** Only in a worker. */
interface SyncHandle {
  write(bytes: Uint8Array, options: { at: number }): number;
  truncate(size: number): void;
  flush(): void;
  close(): void;
}

async function openWriter(handle: FileSystemFileHandle, before: Blob): Promise<Writer> {
  // Read before the handle is locked for writing.
  const kept = new Blob([before]);
  const sync = (handle as { createSyncAccessHandle?: () => Promise<SyncHandle> }).createSyncAccessHandle;
  if (sync !== undefined) {
    const file = await sync.call(handle);
    file.truncate(before.size);
    return new SyncWriter(file, kept);
  }
  const stream = await handle.createWritable({ keepExistingData: true });
  await stream.truncate(before.size);
  await stream.seek(before.size);
  return new StreamWriter(stream, kept);
}

class SyncWriter implements Writer {
  written: number;

  constructor(
    private readonly file: SyncHandle,
    private readonly before: Blob,
  ) {
    this.written = before.size;
  }

  existing(): AsyncIterable<Uint8Array> {
    return fromBlob(this.before).stream();
  }

  async append(bytes: Uint8Array): Promise<void> {
    const count = noRoom(() => this.file.write(bytes, { at: this.written }));
    // Without room Chromium writes less, or returns a negative number as an unsigned one.
    if (count !== bytes.byteLength) {
      throw diskFull();
    }
    this.written += count;
  }

  async restart(): Promise<void> {
    this.file.truncate(0);
    this.written = 0;
  }

  async close(): Promise<void> {
    this.file.flush();
    this.file.close();
  }
}

class StreamWriter implements Writer {
  written: number;

  constructor(
    private readonly stream: FileSystemWritableFileStream,
    private readonly before: Blob,
  ) {
    this.written = before.size;
  }

  existing(): AsyncIterable<Uint8Array> {
    return fromBlob(this.before).stream();
  }

  async append(bytes: Uint8Array): Promise<void> {
    try {
      await this.stream.write(bytes as Uint8Array<ArrayBuffer>);
    } catch (error) {
      throw asDiskFull(error);
    }
    this.written += bytes.byteLength;
  }

  async restart(): Promise<void> {
    await this.stream.truncate(0);
    await this.stream.seek(0);
    this.written = 0;
  }

  async close(): Promise<void> {
    await this.stream.close();
  }
}

function noRoom<T>(writing: () => T): T {
  try {
    return writing();
  } catch (error) {
    throw asDiskFull(error);
  }
}

function asDiskFull(error: unknown): unknown {
  return (error as Error | null)?.name === "QuotaExceededError" ? diskFull() : error;
}

function diskFull(): SatchelError {
  return new SatchelError("the browser's room for this page is used up", "DISK_FULL", 7);
}
