/** A browser's own file system, in memory: as much of it as is used. */

const files = new Map<string, Uint8Array>();
/** Bytes that fit, and that are said to. */
export const room = { quota: Number.POSITIVE_INFINITY, told: Number.POSITIVE_INFINITY };

function notFound(): Error {
  return Object.assign(new Error("no such file"), { name: "NotFoundError" });
}

function handle(name: string) {
  return {
    getFile: async () => new File([files.get(name)! as Uint8Array<ArrayBuffer>], name),
    createSyncAccessHandle: async () => ({
      write(bytes: Uint8Array, { at }: { at: number }): number {
        if (used() + bytes.length > room.quota) {
          throw Object.assign(new Error("full"), { name: "QuotaExceededError" });
        }
        const before = files.get(name)!;
        const after = new Uint8Array(Math.max(before.length, at + bytes.length));
        after.set(before);
        after.set(bytes, at);
        files.set(name, after);
        return bytes.length;
      },
      truncate: (size: number) => files.set(name, files.get(name)!.slice(0, size)),
      flush: () => undefined,
      close: () => undefined,
    }),
  };
}

function used(): number {
  return [...files.values()].reduce((sum, bytes) => sum + bytes.length, 0);
}

const folder = {
  async *entries() {
    for (const name of files.keys()) {
      yield [name, { kind: "file", ...handle(name) }];
    }
  },
  async getFileHandle(name: string, options?: { create: boolean }) {
    if (!files.has(name)) {
      if (options?.create !== true) {
        throw notFound();
      }
      files.set(name, new Uint8Array());
    }
    return handle(name);
  },
  async removeEntry(name: string) {
    if (!files.delete(name)) {
      throw notFound();
    }
  },
};

/** Puts it where a browser has it; what is kept there by name comes back. */
export function installOpfs(): Map<string, Uint8Array> {
  files.clear();
  room.quota = Number.POSITIVE_INFINITY;
  room.told = Number.POSITIVE_INFINITY;
  const storage = {
    getDirectory: async () => ({
      getDirectoryHandle: async () => folder,
      removeEntry: async () => files.clear(),
    }),
    estimate: async () => ({ quota: room.told, usage: used() }),
  };
  const before = globalThis.navigator as object | undefined;
  const value = Object.create(before ?? null, { storage: { value: storage } });
  Object.defineProperty(globalThis, "navigator", { configurable: true, value });
  return files;
}
