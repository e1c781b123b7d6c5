/** Rules of graphs: their inputs and outputs are those that the rest of a manifest asks for. */
import { SatchelError, shown } from "../errors.js";
import { Real, type Tree } from "./json.js";
import { shownTree } from "./kinds.js";
import {
  CACHE_DTYPES,
  type CacheGeometry,
  type GraphEntry,
  MANIFEST,
  type Manifest,
  PARTS,
  PROMPT_MASK,
} from "./manifest.js";
import { TASKS, widthOf } from "./tasks.js";
import { wrong } from "./words.js";

type Axes = (number | string)[];

/** In place of a size: any name, or any size. */
const NAMED = Symbol("named");
const SIZED = Symbol("sized");

type Wanted = Tree | typeof NAMED | typeof SIZED;

function ioError(message: string): SatchelError {
  return SatchelError.bundle(`${MANIFEST}: ${message}`, "BUNDLE_IO");
}

function portsOf<T>(graph: GraphEntry, what: (port: GraphEntry["inputs"][number]) => T): Map<string, T> {
  return new Map([...graph.inputs, ...graph.outputs].map((port) => [port.name, what(port)]));
}

/** An encoder's graph takes what the manifest prepares, and answers what the task asks. */
export function checkTower(
  role: string,
  graph: GraphEntry,
  manifest: Manifest,
  raw: Map<string, Tree>,
): void {
  const axes = portsOf(graph, (port) => port.axes);
  // Any number of inputs, but for sounds: of those it is one.
  const batch = role === "sound" ? 1 : NAMED;
  if (role === "image") {
    checkAxes(axes, "pixel_values", [NAMED, 3, ...sizeOf(raw.get("image"))]);
  } else if (role === "sound") {
    checkAxes(axes, "input_values", [batch, NAMED]);
  } else {
    checkAxes(axes, "input_ids", [NAMED, NAMED]);
    if (axes.has(PROMPT_MASK) && manifest.task !== "embed") {
      throw SatchelError.bundle(
        `${MANIFEST}: the input ${PROMPT_MASK} has no place in a bundle made for ${manifest.task}`,
      );
    }
    if (axes.has(PROMPT_MASK)) {
      checkAxes(axes, PROMPT_MASK, [NAMED, NAMED]);
    }
  }
  checkAxes(axes, "last_hidden_state", [batch, role === "image" ? SIZED : NAMED, SIZED]);
  checkAnswer(role, graph, axes, batch, manifest);
}

/** The last output is the answer. */
function checkAnswer(
  role: string,
  graph: GraphEntry,
  axes: Map<string, Axes>,
  batch: Wanted,
  manifest: Manifest,
): void {
  const task = TASKS[manifest.task]!;
  let name = "embedding";
  let expected: Wanted[] = [batch, SIZED];
  if (task.scores !== "") {
    const count = widthOf(task, manifest.labels?.names.length ?? 0, manifest.vocab_size);
    name = "logits";
    expected = task.perToken ? [batch, NAMED, count] : [batch, count];
  } else if (task.perToken) {
    expected = [batch, NAMED, SIZED];
  } else if (!axes.has(name)) {
    return; // an image's vector may be one of its states
  }
  checkAxes(axes, name, expected);
  if (graph.outputs.at(-1)?.name !== name) {
    throw ioError(`the last output of ${role} is not ${name}`);
  }
}

function sizeOf(image: Tree | undefined): [Tree, Tree] {
  const size = image instanceof Map ? image.get("size") : undefined;
  return Array.isArray(size) && size.length === 2 ? [size[0]!, size[1]!] : [0, 0];
}

function checkAxes(axes: Map<string, Axes>, name: string, expected: Wanted[]): void {
  const given = axes.get(name);
  const fits =
    given !== undefined &&
    given.length === expected.length &&
    given.every((axis, index) => {
      const wanted = expected[index]!;
      if (wanted === NAMED || wanted === SIZED) {
        return (typeof axis === "string") === (wanted === NAMED);
      }
      return (
        axis === (wanted instanceof Real ? wanted.value : typeof wanted === "boolean" ? +wanted : wanted)
      );
    });
  if (!fits) {
    throw ioError(`${shown(name)} has axes ${shownTree(given)}, which do not go with the rest`);
  }
}

/** The decoder's graph, and an encoder's beside it, have the tensors that `cache` promises. */
export function checkCache(manifest: Manifest, cache: CacheGeometry): void {
  if (!Object.hasOwn(CACHE_DTYPES, cache.dtype)) {
    const known = Object.keys(CACHE_DTYPES).join(" or ");
    throw SatchelError.bundle(`${MANIFEST}: a decoder needs a cache of ${known}, not ${shown(cache.dtype)}`);
  }
  const crossing = manifest.family === "encoder-decoder" ? ["cross.#."] : [];
  for (const [role, graph] of Object.entries(manifest.graphs)) {
    const decoder = role === "decoder";
    const kinds = decoder ? ["past_key_values.#.", "present.#.", ...crossing] : crossing;
    checkTensors(manifest, cache, graph, kinds, decoder);
    const kept = [...portsOf(graph, () => 0).keys()].filter((name) => name.startsWith("past_key_values."));
    if (decoder && kept.length !== PARTS.length * cache.layers) {
      throw wrong("layers", cache.layers, `${Math.floor(kept.length / PARTS.length)}, as the graph has`);
    }
  }
}

function checkTensors(
  manifest: Manifest,
  cache: CacheGeometry,
  graph: GraphEntry,
  kinds: string[],
  decoder: boolean,
): void {
  const axes = portsOf(graph, (port) => port.axes);
  const dtypes = portsOf(graph, (port) => port.dtype);
  const promised = new Map<string, number[]>(decoder ? [["logits", [manifest.vocab_size]]] : []);
  for (let layer = 0; layer < cache.layers; layer += 1) {
    const here = kinds.flatMap((kind) => PARTS.map((part) => kind.replace("#", String(layer)) + part));
    for (const name of here) {
      promised.set(name, [cache.kv_heads, cache.head_dim]);
    }
    if (!here.every((name) => axes.has(name)) || here.length === 0) {
      break;
    }
  }
  for (const [name, expected] of promised) {
    const second = axes.get(name)?.filter((_, index) => index % 2 === 1) ?? [];
    if (second.length !== expected.length || second.some((axis, index) => axis !== expected[index])) {
      throw ioError(
        `${shown(name)} has axes ${shownTree(axes.get(name))}, whereas vocab_size and cache ask for ` +
          `[${expected.join(", ")}]`,
      );
    }
    const dtype = dtypes.get(name);
    if (!name.startsWith("logits") && !name.startsWith("cross") && dtype !== cache.dtype) {
      throw ioError(`${shown(name)} is ${shown(dtype)}, cache ${cache.dtype}`);
    }
  }
}
