"""Standard output and error as they may be: closed, full, or a terminal that obeys what it is sent."""

from __future__ import annotations

import io
import os
import sys
import unicodedata

from satchel.runtime.errors import StorageError


def prepare() -> None:
    """Make both fit to print to.

    One that is closed goes nowhere, and its number is taken: else the next file opened would have it, and
    a library that prints an error of its own would write it there.
    """
    for name, number in (("stdin", 0), ("stdout", 1), ("stderr", 2)):
        if getattr(sys, name) is None:
            descriptor = os.open(os.devnull, os.O_RDWR)
            if descriptor != number:
                os.dup2(descriptor, number)
                os.close(descriptor)
            mode = "w" if number else "r"
            setattr(sys, name, os.fdopen(number, mode, encoding="utf-8", closefd=False))
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):  # a terminal may not know every character
            stream.reconfigure(errors="replace")


def flush() -> None:
    """Write out what was printed. Raises StorageError, once, where it cannot be: the rest is dropped."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        drop()
        raise StorageError(f"standard output: {error.strerror or error}") from error


def drop() -> None:
    """Let standard output go nowhere: what waits to be written would fail again at the exit."""
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, sys.stdout.fileno())
    os.close(nowhere)


def visible(text: str) -> str:
    """A text for standard output: on a terminal, control characters but newline and tab are escaped.

    As \\u001b, which is right in JSON too. In a pipe or a file the text is as it is.
    """
    if not sys.stdout.isatty():
        return text
    return "".join(
        f"\\u{ord(letter):04x}" if unicodedata.category(letter) == "Cc" and letter not in "\n\t"
        else letter
        for letter in text
    )  # fmt: skip
