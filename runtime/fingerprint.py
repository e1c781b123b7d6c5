"""Which function to vectors a bundle is, of texts, images or sounds: with one fingerprint, the same.

It is made of what the manifest says, so that bundles of any age have one.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json

from satchel.runtime.errors import UsageError, shown
from satchel.runtime.manifest import Manifest, TextInput
from satchel.runtime.task import TASKS

FIELD = "fingerprint"  # in the manifest's `extra`, for readers in other languages
SHORT = 12  # digits that are shown to people
BESIDE = ("similarity",)  # fields of `text` that say how vectors are used, not what they are


def gives_vectors(manifest: Manifest) -> bool:
    """Whether the bundle is made to embed something."""
    return manifest.family == "encoder" and not TASKS[manifest.task].scores


def vector_size(manifest: Manifest) -> int:
    """How many numbers a vector has."""
    graphs = manifest.graphs
    graph = next(graphs[role] for role in ("text", "encoder", "image", "sound") if role in graphs)
    return int(graph.outputs[-1].axes[-1])


def fingerprint(manifest: Manifest, text: TextInput | None = None, size: int | None = None) -> str:
    """The sha256, in hexadecimal, over all files (weights, precision, pooling, tokenizer) and how texts,
    images and sounds are prepared; UsageError for a bundle that makes no vectors.

    `text` stands in for the manifest's where a caller changed it, `size` for the numbers that are kept.
    """
    if not gives_vectors(manifest):
        raise UsageError(f"a bundle made for {shown(manifest.task)} makes no vectors")
    text = text or manifest.text
    made_of: dict[str, object] = {
        "files": {name: file.sha256 for name, file in manifest.files.items()},
        "text": None if text is None else _settings(text),
        "image": manifest.image,
        "size": vector_size(manifest) if size is None else size,
    }
    if manifest.audio is not None:
        made_of["audio"] = manifest.audio
    if manifest.multi_vector is not None:
        made_of["multi_vector"] = dataclasses.asdict(manifest.multi_vector)
    if manifest.chat is not None:
        made_of["chat"] = manifest.chat
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode("utf-8")).hexdigest()


def _settings(text: TextInput) -> dict[str, object]:
    """What decides the ids of a text. A prompt that is empty is as good as none."""
    settings = dataclasses.asdict(text)
    settings["prompts"] = {name: prompt for name, prompt in text.prompts.items() if prompt}
    if text.default_prompt not in settings["prompts"]:
        settings["default_prompt"] = None
    return {name: value for name, value in settings.items() if name not in BESIDE}
