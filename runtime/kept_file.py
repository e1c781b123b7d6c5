"""A kept text as a file: what it is of, ids (int64), keys and values layer by layer. Knows no graph."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satchel.runtime.errors import shown
from satchel.runtime.manifest import Manifest
from satchel.runtime.sealed_file import Kind

CODE = "KEPT_TEXT"
KIND = Kind("kept text", 1, CODE, "let the text be read anew")


@dataclass(frozen=True)
class Origin:
    """The bundle whose keys and values they are."""

    bundle: str  # sha256, in hexadecimal, over its files and the form of its cache
    architecture: str
    profile: str
    name: str  # of the checkpoint

    @classmethod
    def of(cls, manifest: Manifest, adapter: str | None = None) -> Origin:
        """That of a decoder's manifest, and the digest of the adapter it was given.

        What may be edited and sealed anew is no part of it.
        """
        assert manifest.cache is not None
        made_of = {
            "files": {name: file.sha256 for name, file in manifest.files.items()},
            "cache": dataclasses.asdict(manifest.cache),
        } | ({} if adapter is None else {"adapter": adapter})
        digest = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode("utf-8")).hexdigest()
        profile = str(manifest.quantization.get("name", "unknown profile"))
        return cls(digest, manifest.architecture, profile, manifest.source.name)

    def __str__(self) -> str:
        facts = f"{self.architecture}, profile {self.profile}, of {self.name}"
        return f"{shown(facts, 90)} (files {shown(self.bundle[:12])})"


@dataclass(frozen=True)
class Kept:
    """What a file holds. `values` are bytes, those of all layers and parts one after the other."""

    origin: Origin
    ids: list[int]
    values: NDArray[np.uint8]
    messages: list[dict[str, str]] = field(default_factory=list)


def write(
    path: Path,
    origin: Origin,
    ids: list[int],
    arrays: Iterable[NDArray[Any]],
    messages: list[dict[str, str]],
) -> None:
    """Write a file whole or not at all; StorageError where that cannot be done."""
    about = {"origin": dataclasses.asdict(origin), "ids": len(ids), "messages": messages}
    KIND.write(path, about, chain([np.asarray(ids, np.int64)], arrays))


def read(path: Path) -> Kept:
    """The content of a file; StorageError for one that is damaged, or no kept text of this format."""
    about, data, _ = KIND.read(path)
    values = 8 * int(about["ids"])
    ids = np.frombuffer(data[:values].tobytes(), "<i8")
    return Kept(Origin(**about["origin"]), ids.tolist(), data[values:], about["messages"])
