/** Rules of models that write targets: translation and speech. */
import { SatchelError, shown } from "../errors.js";
import type { Tree } from "./json.js";
import { MANIFEST, type Manifest, SOURCE, type Speech, TARGET, type Translation } from "./manifest.js";
import { checkIds, SIZE_LIMIT, wrong } from "./words.js";

export function checkSeq2seq(manifest: Manifest, raw: Map<string, Tree>): void {
  const { seq2seq, translation, speech, vocab_size: size } = manifest;
  if (seq2seq === null) {
    return;
  }
  if (!(seq2seq.start >= 0 && seq2seq.start < size)) {
    throw SatchelError.bundle(`${MANIFEST}: seq2seq = ${seq2seq.start} has no first id of targets`);
  }
  if (translation !== null) {
    checkTranslation(translation, size);
  }
  if (speech !== null) {
    checkSpeech(speech, manifest, raw);
  }
}

function checkTranslation(told: Translation, vocabSize: number): void {
  const parts = [...Object.values(told.languages), ...told.prefix, ...told.suffix, told.unknown ?? 0];
  const strange = parts.some((id) =>
    typeof id === "string" ? id !== SOURCE && id !== TARGET : !(id >= 0 && id < vocabSize),
  );
  const names = [told.source_lang, told.target_lang].filter((name) => name !== null);
  const nameless = names.some((name) => !(name in told.languages));
  if (strange || nameless || !["forced", "start", SOURCE].includes(told.target)) {
    throw SatchelError.bundle(`${MANIFEST}: translation contradicts itself`);
  }
}

function checkSpeech(speech: Speech, manifest: Manifest, raw: Map<string, Tree>): void {
  const ids = [...Object.values(speech.languages), ...Object.values(speech.tasks)];
  const timed = speech.no_timestamps;
  if (timed !== null) {
    ids.push(timed, timed + 1 + manifest.seq2seq!.source_context);
  }
  checkIds("speech", ids, manifest.vocab_size);
  const tasks = Object.keys(speech.tasks);
  const told = Object.keys(speech.languages).length > 0;
  if (told !== tasks.length > 0 || (tasks.length > 0 && !(speech.task in speech.tasks))) {
    throw SatchelError.bundle(`${MANIFEST}: speech: task = ${shown(speech.task)} has no id`);
  }
  if (manifest.tokens.eos.length === 0) {
    throw SatchelError.bundle(`${MANIFEST}: tokens: no id ends a window's text`);
  }
  checkBounds(raw.get("generation"));
  if (speech.timestamps && timed === null) {
    throw SatchelError.bundle(`${MANIFEST}: speech: timestamps are wanted of a model that has none`);
  }
  if (speech.language !== null && !(speech.language in speech.languages)) {
    throw SatchelError.bundle(`${MANIFEST}: speech: language = ${shown(speech.language)} has no id`);
  }
  const latest = speech.latest_start;
  if (latest !== null && !(latest >= 0 && latest < SIZE_LIMIT)) {
    throw wrong("latest_start", latest, "a count of steps");
  }
}

function checkBounds(generation: Tree | undefined): void {
  for (const name of ["max_new_tokens", "max_length"]) {
    const bound = generation instanceof Map && generation.has(name) ? generation.get(name) : 1;
    if (!((typeof bound === "number" || typeof bound === "bigint") && bound >= 1)) {
      throw wrong(`generation.${name}`, bound, "a count of ids");
    }
  }
}
