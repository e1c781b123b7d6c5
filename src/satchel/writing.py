"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from satchel.runtime.errors import StorageError, shown


def write_text(path: Path, text: str) -> None:
    """A file of `text` in UTF-8, as `whole` makes it."""
    write_bytes(path, text.encode("utf-8"))


def write_bytes(path: Path, data: bytes) -> None:
    """A file of `data`, as `whole` makes it."""
    with whole(path) as file:
        file.write(data)


@contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """A file to write beside `path` that takes its name at the end; what is no file is written to.

    Raises StorageError with the name, and leaves what was there before.
    """
    target = path.resolve()  # a link stays one
    plain = target.is_file() or not target.exists()
    new = target.parent / f".satchel-{os.getpid()}.tmp" if plain else target
    with naming(path):
        try:
            with new.open("wb") as file:
                yield file
                file.flush()
                if plain:
                    os.fsync(file.fileno())
            if plain:
                new.replace(target)
        finally:
            if plain:
                new.unlink(missing_ok=True)


@contextmanager
def naming(path: Path) -> Iterator[None]:
    """Give an error of the system, which of writing has no name, the name of the file."""
    try:
        yield
    except OSError as error:
        raise StorageError(f"cannot write {shown(path)}: {error.strerror or error}") from error
