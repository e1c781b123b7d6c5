/** Threads of a WebAssembly module are workers that it starts, and never ends. */

interface Ended {
  terminate(): unknown;
}

interface NodeProcess {
  on?(event: "worker", heard: (worker: Ended) => void): void;
  off?(event: "worker", heard: (worker: Ended) => void): void;
}

/** What `make` makes, and how to end the workers that it started. */
export async function watchingWorkers<T>(make: () => Promise<T>): Promise<{ made: T; stop: () => void }> {
  const workers: Ended[] = [];
  const stop = () => {
    for (const worker of workers.splice(0)) {
      void worker.terminate();
    }
  };
  const unwatch = watch((worker) => workers.push(worker));
  try {
    return { made: await make(), stop };
  } catch (error) {
    stop();
    throw error;
  } finally {
    unwatch();
  }
}

function watch(started: (worker: Ended) => void): () => void {
  const node = globalThis.process as NodeProcess | undefined;
  if (node?.on !== undefined && globalThis.process?.versions?.node !== undefined) {
    node.on("worker", started);
    return () => node.off?.("worker", started);
  }
  const Original = globalThis.Worker;
  if (Original === undefined) {
    return () => undefined;
  }
  globalThis.Worker = class extends Original {
    constructor(...about: ConstructorParameters<typeof Worker>) {
      super(...about);
      started(this);
    }
  };
  return () => {
    globalThis.Worker = Original;
  };
}
