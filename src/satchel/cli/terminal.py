"""What goes to a person's terminal: nothing that the terminal would obey, and whole files beside it."""

from __future__ import annotations

import json
import os
import sys
import unicodedata
from pathlib import Path
from typing import Any

from satchel.runtime import whole_file

KEPT = "\n\t"
OBEYED = (
    "Cc",
    "Cf",
    "Zl",
    "Zp",
)  # controls, signs that turn the direction of writing, ends of lines


def readable(text: str) -> str:
    """A text that a model wrote, as a terminal may show it; in a pipe it stays as it is."""
    if not sys.stdout.isatty():
        return text
    return "".join(letter if _harmless(letter) else ascii(letter)[1:-1] for letter in text)


def readable_json(value: Any) -> str:
    """A value as a line of JSON that means the same everywhere and that a terminal may show."""
    text = json.dumps(value, ensure_ascii=False)
    return "".join(letter if _harmless(letter) else json.dumps(letter)[1:-1] for letter in text)


def _harmless(letter: str) -> bool:
    joins = letter in "\u200c\u200d"  # letters of some scripts, and parts of one picture
    return letter in KEPT or joins or unicodedata.category(letter) not in OBEYED


def open_closed_streams() -> None:
    """Give a program that was started with closed outputs some that lead nowhere.

    Otherwise the next files that are opened take their numbers, and messages end in them.
    """
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        if getattr(sys, name) is None:
            nowhere = os.open(os.devnull, os.O_RDWR)  # the least that is free, if no other is open
            if nowhere != number:
                os.dup2(nowhere, number)
                os.close(nowhere)
            setattr(sys, name, os.fdopen(number, "w" if number else "r", closefd=False))


def write_whole(path: Path, text: str) -> None:
    """Write a file of text whole or not at all."""
    whole_file.write_whole(path, [text.encode("utf-8")])
