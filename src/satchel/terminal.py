"""What goes to a person's terminal: nothing that the terminal would obey, and whole files beside it."""

from __future__ import annotations

import contextlib
import os
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from satchel.runtime.errors import StorageError, shown

KEPT = "\n\t"
OBEYED = ("Cc", "Cf")  # controls, and signs that turn the direction of writing


def readable(text: str) -> str:
    """A text that a model wrote, as a terminal may show it; in a pipe it stays as it is."""
    if not sys.stdout.isatty():
        return text
    return "".join(letter if _harmless(letter) else ascii(letter)[1:-1] for letter in text)


def _harmless(letter: str) -> bool:
    joins = letter in "\u200c\u200d"  # letters of some scripts, and parts of one picture
    return letter in KEPT or joins or unicodedata.category(letter) not in OBEYED


def open_closed_streams() -> None:
    """Give a program that was started with closed outputs some that lead nowhere.

    Otherwise the next files that are opened take their numbers, and messages end in them.
    """
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115 - open until the end


@contextlib.contextmanager
def writing(path: Path) -> Iterator[None]:
    """Errors of the system inside the context name the file, which writing to it does not do."""
    try:
        yield
    except OSError as error:
        name = error.filename or path
        raise StorageError(f"cannot write {shown(name)}: {error.strerror or error}") from error


def write_whole(path: Path, text: str) -> None:
    """Write a file of text whole or not at all: beside it first, then in its place."""
    new = path.with_name(f".{path.name}.tmp-{os.getpid()}")
    with writing(path):
        try:
            new.write_bytes(text.encode("utf-8"))
            new.replace(path)
        finally:
            new.unlink(missing_ok=True)
