/** Which class runs which bundle; each is loaded when it is asked for. */
import type { Bundle } from "./bundle/bundle.js";
import type { Manifest } from "./bundle/manifest.js";
import { SatchelError, shown } from "./errors.js";
import type { AnyModel } from "./models.js";
import type { Engine } from "./session/session.js";

export type Family = "decoder" | "encoder" | "encoder-decoder" | "image" | "speech";

/** Makes a bundle ready to run on an engine, which the model disposes of when it is closed. */
export type Opener = (bundle: Bundle, engine: Engine, warn: (message: string) => void) => Promise<AnyModel>;

export const FAMILIES: Partial<Record<Family, () => Promise<Opener>>> = {
  decoder: async () => (await import("./decoder-model.js")).openDecoder,
  image: async () => (await import("./image-model.js")).openImages,
  speech: async () => (await import("./speech-model.js")).openSpeech,
  encoder: async () => (await import("./encoder-model.js")).openEncoder as unknown as Opener,
  "encoder-decoder": async () => (await import("./seq2seq-model.js")).openSeq2seq,
};

/** Tasks that no class here answers yet. */
const MISSING: ReadonlySet<string> = new Set(["multi-vector", "ctc", "audio-embed", "audio-classify"]);

function familyOf(manifest: Manifest): Family {
  if (manifest.speech !== null) {
    return "speech";
  }
  return manifest.image !== null && manifest.text === null ? "image" : (manifest.family as Family);
}

export async function openerFor(manifest: Manifest): Promise<Opener> {
  const family = familyOf(manifest);
  const opener = FAMILIES[family];
  if (opener === undefined || MISSING.has(manifest.task)) {
    throw SatchelError.unsupported(`bundles made for ${shown(manifest.task)} do not run here yet`);
  }
  return opener();
}
