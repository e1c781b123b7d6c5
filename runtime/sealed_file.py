"""A file of numbers with a header and a digest, written whole or not at all. Knows not what they are.

The first line, the length of the header (8 bytes), the header (JSON, UTF-8), the numbers, little-endian,
and the sha256 of all before. It finds damage and edits, not an enemy, who can make a new digest.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satchel.runtime.errors import StorageError, shown
from satchel.runtime.whole_file import write_whole

PLACE, DIGEST = 8, 32  # bytes of the header's length, and of the digest
VERSION = "format_version"


@dataclass(frozen=True)
class Kind:
    """What a file is: its first line names it, and errors tell what to do about one."""

    name: str
    version: int
    code: str
    again: str  # how to get a good one

    @property
    def magic(self) -> bytes:
        return f"satchel {self.name}\n".encode()

    def write(self, path: Path, about: dict[str, Any], arrays: Iterable[NDArray[Any]]) -> None:
        """Write a header and numbers; StorageError where that cannot be done."""
        header = json.dumps({VERSION: self.version} | about).encode("utf-8")

        def parts() -> Iterator[bytes]:
            yield self.magic + len(header).to_bytes(PLACE, "little") + header
            for array in arrays:
                yield array.astype(array.dtype.newbyteorder("<"), copy=False).tobytes()

        def digested() -> Iterator[bytes]:
            digest = hashlib.sha256()
            for part in parts():
                digest.update(part)
                yield part
            yield digest.digest()

        write_whole(path, digested())

    def read(self, path: Path) -> tuple[dict[str, Any], NDArray[np.uint8], str]:
        """Header, the bytes of all numbers, and the digest in hexadecimal.

        StorageError for a file that is damaged, or not of this kind and version.
        """
        data = self._whole(path)
        begin = len(self.magic) + PLACE
        end = begin + int.from_bytes(data[len(self.magic) : begin].tobytes(), "little")
        about = json.loads(data[begin:end].tobytes())
        version = about[VERSION]
        if version != self.version:
            raise StorageError(
                f"{shown(path)} has format version {shown(version)}, this satchel reads "
                f"{self.version}: update satchel, or {self.again}",
                self.code,
            )
        return about, data[end:-DIGEST], data[-DIGEST:].tobytes().hex()

    def _whole(self, path: Path) -> NDArray[np.uint8]:
        """The bytes of a file that is as it was written."""
        if not path.is_file():
            raise StorageError(f"{shown(path)} is not a file", self.code)
        try:
            with path.open("rb") as file:
                if file.read(len(self.magic)) != self.magic:
                    raise StorageError(f"{shown(path)} is no {self.name} of satchel", self.code)
                file.seek(0)
                data = np.fromfile(file, np.uint8)
        except OSError as error:
            reason = error.strerror or str(error)
            raise StorageError(
                f"{shown(path)} cannot be read: {shown(reason)}", self.code
            ) from error
        if hashlib.sha256(data[:-DIGEST].data).digest() != data[-DIGEST:].tobytes():
            raise StorageError(
                f"{shown(path)} is not as it was written, cut short or changed: remove it, and "
                f"{self.again}",
                self.code,
            )
        return data
