"""Files that are whole or not there: written beside their place, then renamed. Knows no format."""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from satchel.runtime.errors import StorageError, shown


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Errors of the system inside the context name the file, which writing to it does not do."""
    try:
        yield
    except OSError as error:
        name = error.filename or path
        raise StorageError(f"cannot write {shown(name)}: {error.strerror or error}") from error


def write_whole(path: Path, parts: Iterable[Any]) -> None:
    """Write bytes, one part after the other, whole or not at all, also where the machine stops meanwhile.

    A part is anything that holds bytes. A link stays one; a pipe or a device is written to, not replaced.
    """
    target = path.resolve()
    new = target.with_name(f".{target.name}.tmp-{os.getpid()}-{threading.get_ident()}")
    with writing(path):
        if target.exists() and not target.is_file():
            with target.open("wb") as file:
                file.writelines(parts)
            return
        try:
            with new.open("wb") as file:
                file.writelines(parts)
                file.flush()
                os.fsync(
                    file.fileno()
                )  # else a machine that stops may keep the name of what it lost
            new.replace(target)
        finally:
            new.unlink(missing_ok=True)
