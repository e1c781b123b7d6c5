"""The lines of a text file: counted, hashed, read one by one. Knows no model."""

from __future__ import annotations

import codecs
import hashlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from satchel.runtime.errors import UsageError, shown


def count_lines(source: Path) -> tuple[int, str]:
    """Lines and sha256 of a file, in one reading; UsageError for one without lines or not UTF-8."""
    digest, count = hashlib.sha256(), 0
    with source.open("rb") as file:
        for count, line in enumerate(file, 1):
            digest.update(line)
            _text(line, count, shown(source))
    if not count:
        raise UsageError(f"{shown(source)} has no lines", "EMPTY_PROMPT")
    return count, digest.hexdigest()


def read_lines(source: Path) -> Iterator[str]:
    """The lines without their ends, and without the mark that some editors begin a file with."""
    with source.open("rb") as file:
        yield from _decoded(file, shown(source))


def piped_lines(stream: Iterable[bytes]) -> list[str]:
    """All lines of standard input, as `read_lines` has them."""
    return list(_decoded(stream, "standard input"))


def _decoded(lines: Iterable[bytes], name: str) -> Iterator[str]:
    for number, line in enumerate(lines, 1):
        if number == 1:
            line = line.removeprefix(codecs.BOM_UTF8)
        yield _text(line, number, name).rstrip("\r\n")


def _text(line: bytes, number: int, name: str) -> str:
    try:
        return line.decode("utf-8")
    except UnicodeDecodeError:
        raise UsageError(f"{name}: line {number} is not UTF-8", "PROMPT_ENCODING") from None
