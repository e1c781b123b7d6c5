"""manifest.json as bytes: how a manifest is written, and read back only as it was written.

The file ends with the sha256 of what stands before. It finds damage and edits, not an enemy, who can
make a new one.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import re

from satchel.runtime import rules
from satchel.runtime.errors import BundleError, shown
from satchel.runtime.manifest import FORMAT, FORMAT_VERSION, MANIFEST, Manifest
from satchel.runtime.strict import strict_json, typed

WINDOWS = "window-cache"  # layers that keep the last positions alone
FEATURES = frozenset([WINDOWS])  # what `required_features` may ask of this runtime
UNSEALED = 1  # the format version that had no digest
ENDING = re.compile(r',\n "digest": "([0-9a-f]{64})"\n}\n\Z')


def written(manifest: Manifest) -> str:
    """Text of manifest.json, the same for the same content."""
    content = dataclasses.asdict(manifest)
    # What says nothing is left out: older runtimes, and some in other languages, know no such fields.
    if manifest.multi_vector is None:
        del content["multi_vector"]
    if manifest.speech is not None and manifest.speech.tokens_per_second is None:
        del content["speech"]["tokens_per_second"]
    if manifest.seq2seq is not None and not manifest.seq2seq.prompt_starts:
        del content["seq2seq"]["prompt_starts"]
    if manifest.entities is None:
        del content["entities"]
    if manifest.cache is not None and not manifest.cache.windows:
        del content["cache"]["windows"]
    return sealed(json.dumps(content, indent=1, ensure_ascii=False))


def sealed(text: str) -> str:
    """The text of a JSON object without a digest, with the digest that goes with it."""
    body = text.rstrip().removesuffix("}").rstrip()
    return f'{body},\n "digest": "{_digest(body)}"\n}}\n'


def unsealed(text: str) -> str:
    """Text of manifest.json without its digest, whatever that says."""
    content = strict_json(text)
    if isinstance(content, dict):
        content.pop("digest", None)
    return json.dumps(content, indent=1, ensure_ascii=False)


def read(text: str) -> Manifest:
    """The manifest of a bundle; BundleError says which field is wrong, or that it was changed."""
    raw = strict_json(text)
    if not isinstance(raw, dict) or raw.get("format") != FORMAT:
        raise BundleError(f"{MANIFEST} is not the manifest of a satchel bundle")
    version = raw.get("format_version")
    if isinstance(version, bool) or not isinstance(version, int) or version < 1:
        raise BundleError(f"{MANIFEST}: format_version {shown(version)}", "BUNDLE_VERSION")
    if version > FORMAT_VERSION:
        raise BundleError(
            f"the bundle has format version {version}, this satchel reads up to {FORMAT_VERSION}: "
            "update satchel",
            "BUNDLE_VERSION",
        )
    if version > UNSEALED:
        _check_digest(text)
        raw.pop("digest", None)
    manifest: Manifest = typed(Manifest, raw, "manifest")
    missing = set(manifest.required_features) - FEATURES
    if missing:
        raise BundleError(
            f"the bundle needs {shown(sorted(missing))}, which this satchel lacks: update it",
            "BUNDLE_VERSION",
        )
    rules.check(manifest)
    return manifest


def _check_digest(text: str) -> None:
    ending = ENDING.search(text)
    if ending is None or ending[1] != _digest(text[: ending.start()]):
        raise BundleError(
            f"{MANIFEST} is not as it was written: export or download the bundle again or, where "
            "you changed it yourself, run satchel seal",
            "BUNDLE_HASH",
        )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8")).hexdigest()
