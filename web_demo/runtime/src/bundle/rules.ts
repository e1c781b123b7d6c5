/**
 * What a manifest must say as a whole: fields that go with its task, and sizes that agree. One edited by hand is
 * refused by the field that no longer fits, before a graph is loaded.
 */
import { SatchelError } from "../errors.js";
import { checkCache, checkTower } from "./graph-rules.js";
import type { Tree } from "./json.js";
import { shownTree } from "./kinds.js";
import {
  type Labels,
  MANIFEST,
  type Manifest,
  type MultiVector,
  readsText,
  type TextInput,
} from "./manifest.js";
import { checkSeq2seq } from "./target-rules.js";
import { TASKS } from "./tasks.js";
import { checkIds, SIZE_LIMIT, wrong } from "./words.js";

const SCORES = ["softmax", "sigmoid", "identity"];
const SIMILARITIES = ["cosine", "dot", "euclidean", "manhattan"];
const VERSION = /^\d+\.\d+(\.\d+)?$/;
const ABOUT_TASKS = [...new Set(Object.values(TASKS).flatMap(({ needs, may }) => [...needs, ...may]))].sort();

/** Raises BUNDLE or BUNDLE_IO, naming the field, where a manifest contradicts itself. `raw` is what was read. */
export function check(manifest: Manifest, raw: Map<string, Tree>): void {
  checkTask(manifest);
  checkSizes(manifest);
  if (!VERSION.test(manifest.onnxruntime)) {
    throw wrong("onnxruntime", manifest.onnxruntime, "a version, such as 1.30");
  }
  checkTokens(manifest);
  if (manifest.text !== null) {
    checkText(manifest.text, manifest);
  }
  if (manifest.multi_vector !== null) {
    checkMultiVector(manifest.multi_vector, manifest);
  }
  if (manifest.labels !== null) {
    checkLabels(manifest.labels);
  }
  if (manifest.seq2seq !== null) {
    checkSeq2seq(manifest, raw);
  }
  for (const [role, graph] of Object.entries(manifest.graphs)) {
    if (manifest.family === "encoder") {
      checkTower(role, graph, manifest, raw);
    }
  }
  if (manifest.cache !== null) {
    checkCache(manifest, manifest.cache);
  }
}

/** Task, family, roles of graphs and the fields that depend on the task go together. */
function checkTask(manifest: Manifest): void {
  const { family } = manifest;
  const known = Object.entries(TASKS).filter(([, one]) => one.family === family);
  if (known.length === 0) {
    throw SatchelError.bundle(`${MANIFEST}: family ${shownTree(family)} is unknown to this satchel`);
  }
  const task = Object.hasOwn(TASKS, manifest.task) ? TASKS[manifest.task] : undefined;
  if (task === undefined || task.family !== family) {
    throw wrong("task", manifest.task, `of the family ${family}: ${known.map(([name]) => name).join(", ")}`);
  }
  const roles = Object.keys(manifest.graphs);
  if (roles.length !== task.roles.length || !roles.every((role) => task.roles.includes(role))) {
    const expected = [...task.roles].sort().join(", ");
    throw wrong("graphs", roles.join(", ") || "none", `${expected} for ${manifest.task}`);
  }
  for (const name of ABOUT_TASKS) {
    const given = manifest[name as keyof Manifest] !== null;
    if (given && !task.needs.includes(name) && !task.may.includes(name)) {
      throw SatchelError.bundle(`${MANIFEST}: ${name} has no place in a bundle made for ${manifest.task}`);
    }
    if (!given && task.needs.includes(name)) {
      throw SatchelError.bundle(`${MANIFEST}: a bundle made for ${manifest.task} lacks ${name}`);
    }
  }
}

function checkSizes(manifest: Manifest): void {
  const { cache, seq2seq } = manifest;
  const sizes: Record<string, number> = {
    ...(readsText(manifest) && { context: manifest.context, vocab_size: manifest.vocab_size }),
    ...(cache && { layers: cache.layers, kv_heads: cache.kv_heads, head_dim: cache.head_dim }),
    ...(seq2seq && { source_context: seq2seq.source_context }),
  };
  for (const [name, size] of Object.entries(sizes)) {
    if (!(size > 0 && size < SIZE_LIMIT)) {
      throw wrong(name, size, `1..${SIZE_LIMIT - 1}`);
    }
  }
  if (cache !== null && cache.spare !== 0 && cache.spare !== 1) {
    throw wrong("spare", cache.spare, "0 or 1");
  }
  if (cache !== null && cache.windows.length > 0) {
    const few = cache.windows.some((window) => window !== null && window < 1);
    if (few || cache.windows.length !== cache.layers || cache.spare > 0) {
      const expected = `a window or null for each of ${cache.layers} layers, and no spare position`;
      throw wrong("windows", cache.windows, expected);
    }
  }
}

function checkTokens({ tokens, vocab_size: size }: Manifest): void {
  checkIds("tokens: bos", [tokens.bos], size);
  checkIds("tokens: eos", tokens.eos, size);
  checkIds("tokens: pad", [tokens.pad], size);
  checkIds("tokens: mask", [tokens.mask], size);
}

function checkText(text: TextInput, manifest: Manifest): void {
  if (!(text.max_length >= 1 && text.max_length <= manifest.context)) {
    throw wrong("max_length", text.max_length, `1..${manifest.context}`);
  }
  if (!SIMILARITIES.includes(text.similarity)) {
    throw wrong("similarity", text.similarity, SIMILARITIES.join(", "));
  }
  if (text.default_prompt !== null && !(text.default_prompt in text.prompts)) {
    throw wrong("default_prompt", text.default_prompt, "the name of one of the prompts");
  }
  checkIds("pad_to_context", [text.pad_to_context], manifest.vocab_size);
}

function checkMultiVector(told: MultiVector, manifest: Manifest): void {
  const most = manifest.text?.max_length ?? manifest.context;
  for (const name of ["query_length", "document_length"] as const) {
    if (!(told[name] >= 1 && told[name] <= most)) {
      throw wrong(name, told[name], `1..${most}`);
    }
  }
  const filled = told.expand_to > 0;
  const fits = told.expand_to >= 0 && told.expand_to <= told.query_length;
  if (!fits || filled !== (told.expand_with !== null)) {
    throw wrong("expand_to", told.expand_to, "0 without expand_with, or up to query_length with it");
  }
  checkIds("multi_vector", [told.expand_with, ...told.skipped], manifest.vocab_size);
  if (!told.skipped_in.every((name) => name === "query" || name === "document")) {
    throw wrong("skipped_in", told.skipped_in, "some of query, document");
  }
}

function checkLabels(labels: Labels): void {
  if (!SCORES.includes(labels.scores)) {
    throw wrong("scores", labels.scores, SCORES.join(", "));
  }
  if (labels.names.length === 0) {
    throw wrong("labels", labels.names, "names");
  }
}
