"""The lines of a text file: counted, hashed, read one by one. Knows no model."""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Iterator
from pathlib import Path

from satchel.runtime.errors import UsageError, shown


def measure(source: Path) -> tuple[int, str]:
    """Lines and sha256 of a file, in one reading; UsageError for one without lines or not UTF-8."""
    digest, count = hashlib.sha256(), 0
    with source.open("rb") as file:
        for count, line in enumerate(file, 1):
            digest.update(line)
            _text(line, count, source)
    if not count:
        raise UsageError(f"{shown(source)} has no lines", "EMPTY_PROMPT")
    return count, digest.hexdigest()


def read_lines(source: Path) -> Iterator[str]:
    """The lines without their ends, and without the mark that some editors begin a file with."""
    with source.open("rb") as file:
        for number, line in enumerate(file, 1):
            if number == 1:
                line = line.removeprefix(codecs.BOM_UTF8)
            yield _text(line, number, source).rstrip("\r\n")


def _text(line: bytes, number: int, source: Path) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError(
            f"{shown(source)}: line {number} is not UTF-8", "PROMPT_ENCODING"
        ) from None
