/**
 * A bundle in a zip archive: its files, or one folder with them. What an archive may do to its reader is bounded
 * here: where entries lie, how many there are, and how much they grow.
 */
import { SatchelError, shown } from "../errors.js";
import { fromBlob, piecesOf } from "./blob.js";
import { Inflated } from "./inflated.js";
import type { Source, Stored } from "./source.js";
import { directoryOf, type Entry, refused } from "./zip-directory.js";

/** A bundle has few files; names alone could fill the memory otherwise. */
const MOST_ENTRIES = 64;
/** Weights of a transformer hardly shrink at all; what grows more than this is made to fill the memory. */
const MOST_GROWTH = 100;
const ALWAYS_ALLOWED = 1 << 20; // a tokenizer shrinks well, and so does a tiny model
const PLAIN_NAME = /^[a-z0-9][a-z0-9._-]{0,63}$/;
const STORED = 0;
const DEFLATED = 8;
const LOCAL = 0x04034b50;
const LOCAL_SIZE = 30;

export class ZipSource implements Source {
  private entries: Promise<Map<string, Entry>> | undefined;

  constructor(
    private readonly archive: Blob,
    readonly name = (archive as { name?: string }).name ?? "the archive",
  ) {}

  async exists(): Promise<boolean> {
    return true;
  }

  async file(name: string): Promise<Stored | null> {
    this.entries ??= entriesOf(this.archive);
    const entry = (await this.entries).get(name);
    return entry === undefined ? null : this.stored(entry);
  }

  private async stored(entry: Entry): Promise<Stored> {
    const head = new DataView(
      await this.archive.slice(entry.offset, entry.offset + LOCAL_SIZE).arrayBuffer(),
    );
    if (head.byteLength < LOCAL_SIZE || head.getUint32(0, true) !== LOCAL) {
      throw refused(`${shown(entry.path)} is not where it says`);
    }
    const start = entry.offset + LOCAL_SIZE + head.getUint16(26, true) + head.getUint16(28, true);
    const packed = this.archive.slice(start, start + entry.packed);
    if (packed.size < entry.packed) {
      throw refused("it was cut short");
    }
    if (entry.method === STORED) {
      if (entry.packed !== entry.size) {
        throw refused(`${shown(entry.path)} has two sizes`);
      }
      return fromBlob(packed); // the manifest's sha256 finds damage
    }
    return new Inflated(entry.size, entry.crc, () =>
      piecesOf(packed.stream().pipeThrough(new DecompressionStream("deflate-raw"))),
    );
  }
}

/** The entries that are files of the bundle, by their names. */
async function entriesOf(archive: Blob): Promise<Map<string, Entry>> {
  const all = await directoryOf(archive, MOST_ENTRIES);
  const files = new Map<string, Entry>();
  let folder: string | undefined;
  for (const entry of all) {
    checkEntry(entry);
    if (ofFinder(entry.path)) {
      continue;
    }
    const within = folderOf(entry.path);
    if (folder !== undefined && folder !== within) {
      throw refused("it holds more than one folder");
    }
    folder = within;
    const name = entry.path.slice(within.length);
    if (name === "") {
      continue; // the folder itself
    }
    if (!PLAIN_NAME.test(name)) {
      throw SatchelError.bundle(`${shown(name)} is not the name of a bundle's file`, "BUNDLE_PATH");
    }
    if (files.has(name)) {
      throw SatchelError.bundle(`${name} occurs twice`, "BUNDLE_PATH");
    }
    files.set(name, entry);
  }
  return files;
}

function checkEntry(entry: Entry): void {
  if (entry.size > ALWAYS_ALLOWED + MOST_GROWTH * entry.packed) {
    throw SatchelError.limit(`the archive unpacks to more than ${MOST_GROWTH} times its size`, "TOO_LARGE");
  }
  if (entry.encrypted || (entry.method !== STORED && entry.method !== DEFLATED)) {
    throw refused(
      `${shown(entry.path)} is ${entry.encrypted ? "encrypted" : `packed by method ${entry.method}`}`,
    );
  }
}

/** What a Mac adds to an archive on its own: no part of what was packed. */
function ofFinder(path: string): boolean {
  return path.startsWith("__MACOSX/") || path === ".DS_Store" || path.endsWith("/.DS_Store");
}

/** The folder that an entry lies in, with its slash: none, or one that has a plain name. */
function folderOf(path: string): string {
  const folder = path.slice(0, path.lastIndexOf("/") + 1);
  if (["/", "./", "../"].includes(folder) || path.includes("\\") || path.includes("\0")) {
    throw SatchelError.bundle(`the archive names ${shown(path)}, which leads out of it`, "BUNDLE_PATH");
  }
  if (folder !== "" && folder.indexOf("/") < folder.length - 1) {
    throw SatchelError.bundle(
      `the archive names ${shown(path)}: a bundle has no folders inside`,
      "BUNDLE_PATH",
    );
  }
  return folder;
}
