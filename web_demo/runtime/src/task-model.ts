/** What every loaded bundle is made of: graphs by role, on an engine. Knows no family. */
import type { Bundle } from "./bundle/bundle.js";
import type { Manifest } from "./bundle/manifest.js";
import { TASKS } from "./bundle/tasks.js";
import { SatchelError, shown } from "./errors.js";
import type { EngineInfo, Model } from "./models.js";
import type { Engine, Graph } from "./session/session.js";
import { STREAMS } from "./worker/protocol.js";

const ALL_METHODS = new Set(Object.values(TASKS).flatMap(({ methods }) => methods));

/** A method that does not fit the bundle's task. */
export function wrongTask(method: string, task: string): SatchelError {
  const methods = TASKS[task]?.methods ?? [];
  const fitting = methods.length > 1 ? `${methods.slice(0, -1).join(", ")} or ${methods.at(-1)}` : methods[0];
  return SatchelError.usage(
    `${method} does not fit a bundle made for ${shown(task)}; use ${fitting}`,
    "WRONG_TASK",
  );
}

/** All graphs of a bundle, by role. */
export async function openGraphs(bundle: Bundle, engine: Engine): Promise<Record<string, Graph>> {
  const graphs: Record<string, Graph> = {};
  try {
    for (const role of Object.keys(bundle.manifest.graphs)) {
      graphs[role] = await bundle.graph(engine, role);
    }
  } catch (error) {
    for (const graph of Object.values(graphs)) {
      graph.dispose();
    }
    throw error;
  } finally {
    bundle.release();
  }
  return graphs;
}

export abstract class TaskModel implements Model {
  readonly manifest: Manifest;

  constructor(
    bundle: Bundle,
    readonly engine: Engine & EngineInfo,
    protected readonly graphs: Readonly<Record<string, Graph>>,
  ) {
    this.manifest = bundle.manifest;
    for (const method of ALL_METHODS) {
      if (!(method in this)) {
        const refuse = () => {
          throw wrongTask(method, this.manifest.task);
        };
        const refuseStream = async function* () {
          yield await refuse();
        };
        Object.defineProperty(this, method, { value: STREAMS.has(method) ? refuseStream : refuse });
      }
    }
  }

  /** Raises WRONG_TASK unless `method` is one of the bundle's task. */
  protected checkMethod(method: string): void {
    if (!TASKS[this.manifest.task]!.methods.includes(method)) {
      throw wrongTask(method, this.manifest.task);
    }
  }

  async close(): Promise<void> {
    for (const graph of Object.values(this.graphs)) {
      graph.dispose();
    }
    this.engine.dispose();
  }
}
