/** A bundle among files that a person chose: a folder, or some files. */
import { SatchelError, shown, wordsOf } from "../errors.js";
import { fromBlob } from "./blob.js";
import type { Source, Stored } from "./source.js";

/** A folder of the File System Access API. */
export class HandleFolder implements Source {
  readonly name: string;

  constructor(private readonly folder: FileSystemDirectoryHandle) {
    this.name = folder.name;
  }

  async exists(): Promise<boolean> {
    return true;
  }

  async file(name: string): Promise<Stored | null> {
    try {
      return fromBlob(await (await this.folder.getFileHandle(name)).getFile());
    } catch (error) {
      const kind = (error as Error | null)?.name;
      if (kind === "NotFoundError") {
        return null;
      }
      if (kind === "TypeMismatchError") {
        throw SatchelError.bundle(`${name} is not a regular file of the bundle`, "BUNDLE_PATH");
      }
      throw SatchelError.storage(`${shown(name)}: ${shown(wordsOf(error))}`, { cause: error });
    }
  }
}

/** Files by their names, as an `<input type="file" multiple>` has them, or one with `webkitdirectory`. */
export class ChosenFiles implements Source {
  readonly name = "the files chosen";
  private readonly files: ReadonlyMap<string, Blob>;

  constructor(files: Iterable<File>) {
    this.files = new Map(Array.from(files, (file) => [file.name, file]));
  }

  async exists(): Promise<boolean> {
    return this.files.size > 0;
  }

  async file(name: string): Promise<Stored | null> {
    const file = this.files.get(name);
    return file === undefined ? null : fromBlob(file);
  }
}
