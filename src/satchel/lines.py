"""The lines of a text file: counted, hashed, read one by one. Knows no model."""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Iterator
from pathlib import Path

from satchel.runtime.errors import UsageError, shown


def measure(source: Path) -> tuple[int, str]:
    """Lines and sha256 of a file, in one reading; UsageError if it has none."""
    digest, count = hashlib.sha256(), 0
    with source.open("rb") as file:
        for line in file:
            digest.update(line)
            count += 1
    if not count:
        raise UsageError(f"{shown(source)} has no lines", "EMPTY_PROMPT")
    return count, digest.hexdigest()


def read_lines(source: Path) -> Iterator[str]:
    """The lines without their ends, or UsageError with the number of the first that is not UTF-8."""
    with source.open("rb") as file:
        for number, line in enumerate(file, 1):
            if number == 1:
                line = line.removeprefix(codecs.BOM_UTF8)
            try:
                yield line.decode("utf-8").rstrip("\r\n")
            except UnicodeDecodeError:
                raise UsageError(
                    f"{shown(source)}: line {number} is not UTF-8", "PROMPT_ENCODING"
                ) from None
