/**
 * manifest.json as text, read only as it was written: it ends with the sha256 of what stands before. That finds
 * damage and edits, not an enemy, who can make a new one.
 */
import { SatchelError, shown, wordsOf } from "../errors.js";
import { sha256 } from "../store/sha256.js";
import { parseStrictly, type Tree } from "./json.js";
import { shownTree } from "./kinds.js";
import { FORMAT, FORMAT_VERSION, MANIFEST, type Manifest, manifestKind } from "./manifest.js";
import { check } from "./rules.js";

/** What `required_features` may ask of this runtime. */
export const FEATURES: ReadonlySet<string> = new Set();
/** The format version that had no digest. */
const UNSEALED = 1;
const ENDING = /,\n "digest": "([0-9a-f]{64})"\n\}\n$/;

/** The manifest of a bundle; BUNDLE and its like say which field is wrong, or that it was changed. */
export async function readManifest(text: string): Promise<Manifest> {
  const raw = parsed(text);
  if (!(raw instanceof Map) || raw.get("format") !== FORMAT) {
    throw SatchelError.bundle(`${MANIFEST} is not the manifest of a satchel bundle`);
  }
  const version = raw.get("format_version");
  if (!(typeof version === "number" || typeof version === "bigint") || version < 1) {
    throw SatchelError.bundle(`${MANIFEST}: format_version ${shownTree(version)}`, "BUNDLE_VERSION");
  }
  if (version > FORMAT_VERSION) {
    throw SatchelError.bundle(
      `the bundle has format version ${version}, this satchel reads up to ${FORMAT_VERSION}: update satchel`,
      "BUNDLE_VERSION",
    );
  }
  if (version > UNSEALED) {
    await checkDigest(text);
    raw.delete("digest");
  }
  const manifest: Manifest = manifestKind.read(raw, "manifest");
  const missing = [...new Set(manifest.required_features)].filter((name) => !FEATURES.has(name)).sort();
  if (missing.length > 0) {
    throw SatchelError.bundle(
      `the bundle needs ${shownTree(missing)}, which this satchel lacks: update it`,
      "BUNDLE_VERSION",
    );
  }
  check(manifest, raw);
  return manifest;
}

function parsed(text: string): Tree {
  try {
    return parseStrictly(text);
  } catch (error) {
    throw SatchelError.bundle(`${MANIFEST} is not valid JSON: ${shown(wordsOf(error))}`);
  }
}

async function checkDigest(text: string): Promise<void> {
  const ending = ENDING.exec(text);
  const body = ending === null ? "" : text.slice(0, ending.index);
  if (ending === null || ending[1] !== (await sha256(new TextEncoder().encode(body)))) {
    throw SatchelError.bundle(
      `${MANIFEST} is not as it was written: export or download the bundle again or, where you changed it ` +
        "yourself, run satchel seal",
      "BUNDLE_HASH",
    );
  }
}
