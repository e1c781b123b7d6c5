/** The manifest: all that the runtime needs to know of a bundle. Fields are named as in the file. */
import {
  list,
  mapping,
  open,
  optional,
  record,
  type TypeOf,
  text,
  toggle,
  whole,
  wholeOrText,
} from "./kinds.js";

export { MANIFEST } from "./kinds.js";
export const FORMAT = "satchel-bundle";
export const FORMAT_VERSION = 2;
export const PARTS = ["key", "value"] as const;
/** Input of a text encoder: 1 for tokens of a prompt that its vector leaves out. */
export const PROMPT_MASK = "prompt_mask";
/** Bytes of a number in a cache. */
export const CACHE_DTYPES: Readonly<Record<string, number>> = { float32: 4, int8: 1 };
/** In place of an id: that language's. */
export const SOURCE = "source";
export const TARGET = "target";

const none = () => null;
const no = () => false;
const nothing = () => ({});
const empty = () => [];
const word = (value: string) => () => value;
const id = optional(whole);

const file = record({ size: whole, sha256: text }, {}, {});
const port = record({ name: text, dtype: text, axes: list(wholeOrText) }, {}, {});
const graph = record({ file: text, inputs: list(port), outputs: list(port) }, {}, {});
const tokens = record(
  {},
  { bos: id, eos: list(whole), pad: id, mask: id },
  { bos: none, eos: empty, pad: none, mask: none },
);
const source = record({ name: text, sha256: text }, { licence: optional(text) }, { licence: none });
const cache = record(
  { layers: whole, kv_heads: whole, head_dim: whole },
  { dtype: text, spare: whole, windows: list(optional(whole)) },
  { dtype: word("float32"), spare: () => 0, windows: empty },
);
const seq2seq = record({ start: whole, source_context: whole }, {}, {});
const translation = record(
  { languages: mapping(whole), prefix: list(wholeOrText), suffix: list(wholeOrText), target: text },
  { source_lang: optional(text), target_lang: optional(text), unknown: id },
  { source_lang: none, target_lang: none, unknown: none },
);
const textInput = record(
  { max_length: whole },
  {
    lower_case: toggle,
    normalized: toggle,
    similarity: text,
    prompts: mapping(text),
    default_prompt: optional(text),
    pad_to_context: id,
    cut_left: toggle,
    token_types: toggle,
  },
  {
    lower_case: no,
    normalized: no,
    similarity: word("cosine"),
    prompts: nothing,
    default_prompt: none,
    pad_to_context: none,
    cut_left: no,
    token_types: () => true,
  },
);
const multiVector = record(
  { query_length: whole, document_length: whole },
  { expand_to: whole, expand_with: id, skipped: list(whole), skipped_in: list(text), mean: toggle },
  { expand_to: () => 0, expand_with: none, skipped: empty, skipped_in: empty, mean: no },
);
const labels = record({ names: list(text), scores: text }, {}, {});
const speech = record(
  {},
  {
    languages: mapping(whole),
    tasks: mapping(whole),
    language: optional(text),
    task: text,
    no_timestamps: id,
    latest_start: id,
    timestamps: toggle,
  },
  {
    languages: nothing,
    tasks: nothing,
    language: none,
    task: word("transcribe"),
    no_timestamps: none,
    latest_start: none,
    timestamps: no,
  },
);

export const manifestKind = record(
  {
    family: text,
    architecture: text,
    task: text,
    context: whole,
    vocab_size: whole,
    graphs: mapping(graph),
    files: mapping(file),
    tokens,
    source,
  },
  {
    cache: optional(cache),
    seq2seq: optional(seq2seq),
    translation: optional(translation),
    text: optional(textInput),
    multi_vector: optional(multiVector),
    labels: optional(labels),
    image: optional(open),
    speech: optional(speech),
    audio: optional(open),
    generation: open,
    chat: optional(open),
    quantization: open,
    parity: open,
    quality: open,
    probe: open,
    verified: toggle,
    onnxruntime: text,
    required_features: list(text),
    satchel_version: text,
    extra: open,
    format: text,
    format_version: whole,
  },
  {
    cache: none,
    seq2seq: none,
    translation: none,
    text: none,
    multi_vector: none,
    labels: none,
    image: none,
    speech: none,
    audio: none,
    generation: nothing,
    chat: none,
    quantization: nothing,
    parity: nothing,
    quality: nothing,
    probe: nothing,
    verified: no,
    onnxruntime: word("1.30"),
    required_features: empty,
    satchel_version: word(""),
    extra: nothing,
    format: word(FORMAT),
    format_version: () => FORMAT_VERSION,
  },
);

export type Manifest = Readonly<TypeOf<typeof manifestKind>>;
export type FileEntry = TypeOf<typeof file>;
export type Port = TypeOf<typeof port>;
export type GraphEntry = TypeOf<typeof graph>;
export type CacheGeometry = TypeOf<typeof cache>;
export type Translation = TypeOf<typeof translation>;
export type TextInput = TypeOf<typeof textInput>;
export type MultiVector = TypeOf<typeof multiVector>;
export type Labels = TypeOf<typeof labels>;
export type Speech = TypeOf<typeof speech>;

/** Whether a decoder's logits are the same for ids read together and one by one. */
export function readsAheadExactly(manifest: Manifest): boolean {
  const { cache: kept, seq2seq: uses, quantization } = manifest;
  const exact = kept !== null && (kept.dtype === "int8" || kept.spare > 0);
  return uses === null && (exact || quantization.name === "fp32");
}

/** Whether the bundle has a tokenizer; one for images or sounds alone has none. */
export function readsText(manifest: Manifest): boolean {
  return manifest.cache !== null || manifest.text !== null;
}
