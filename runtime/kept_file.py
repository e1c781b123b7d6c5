"""A kept text as a file: what it is of, its ids, its keys and values, a digest of all. Knows no graph.

MAGIC, the length of the header (8 bytes), the header (JSON, UTF-8), the ids (int64), the keys and values
layer by layer, and the sha256 of all before. Numbers are little-endian. It finds damage and edits, not an
enemy, who can make a new digest.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satchel.runtime.errors import StorageError, shown
from satchel.runtime.manifest import Manifest
from satchel.runtime.whole_file import write_whole

MAGIC = b"satchel kept text\n"
FORMAT_VERSION = 1
PLACE, DIGEST = 8, 32  # bytes of the header's length, and of the digest
CODE = "KEPT_TEXT"


@dataclass(frozen=True)
class Origin:
    """The bundle whose keys and values they are."""

    bundle: str  # sha256, in hexadecimal, over its files and the form of its cache
    architecture: str
    profile: str
    name: str  # of the checkpoint

    @classmethod
    def of(cls, manifest: Manifest) -> Origin:
        """That of a decoder's manifest; what may be edited and sealed anew is no part of it."""
        assert manifest.cache is not None
        made_of = {
            "files": {name: file.sha256 for name, file in manifest.files.items()},
            "cache": dataclasses.asdict(manifest.cache),
        }
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
    about = {
        "format_version": FORMAT_VERSION,
        "origin": dataclasses.asdict(origin),
        "ids": len(ids),
        "messages": messages,
    }
    header = json.dumps(about).encode("utf-8")

    def parts() -> Iterator[bytes]:
        yield MAGIC + len(header).to_bytes(PLACE, "little") + header
        yield np.asarray(ids, "<i8").tobytes()
        for array in arrays:
            yield array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()

    def sealed() -> Iterator[bytes]:
        digest = hashlib.sha256()
        for part in parts():
            digest.update(part)
            yield part
        yield digest.digest()

    write_whole(path, sealed())


def read(path: Path) -> Kept:
    """The content of a file; StorageError for one that is damaged, or no kept text of this format."""
    data = _whole(path)
    begin = len(MAGIC) + PLACE
    end = begin + int.from_bytes(data[len(MAGIC) : begin].tobytes(), "little")
    about = json.loads(data[begin:end].tobytes())
    version = about["format_version"]
    if version != FORMAT_VERSION:
        raise StorageError(
            f"{shown(path)} has format version {shown(version)}, this satchel reads "
            f"{FORMAT_VERSION}: update satchel, or let it be read anew",
            CODE,
        )
    values = end + 8 * int(about["ids"])
    ids = np.frombuffer(data[end:values].tobytes(), "<i8")
    return Kept(Origin(**about["origin"]), ids.tolist(), data[values:-DIGEST], about["messages"])


def _whole(path: Path) -> NDArray[np.uint8]:
    """The bytes of a file that is as it was written."""
    if not path.is_file():
        raise StorageError(f"{shown(path)} is not a file", CODE)
    try:
        with path.open("rb") as file:
            if file.read(len(MAGIC)) != MAGIC:
                raise StorageError(f"{shown(path)} is no kept text of satchel", CODE)
            file.seek(0)
            data = np.fromfile(file, np.uint8)
    except OSError as error:
        reason = error.strerror or str(error)
        raise StorageError(f"{shown(path)} cannot be read: {shown(reason)}", CODE) from error
    body = data[:-DIGEST]
    if hashlib.sha256(body.data).digest() != data[-DIGEST:].tobytes():
        raise StorageError(
            f"{shown(path)} is not as it was written, cut short or changed: remove it, and let the text "
            "be read anew",
            CODE,
        )
    return data
