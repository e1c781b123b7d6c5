"""How a command that cannot be done must end: one line, the right status, and nothing changed."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from satchel.cli.main import main

MOST_CHARACTERS, MOST_SECONDS = 600, 10
STATUS = {  # the start of an error code -> exit status, as in runtime/errors.py
    "USAGE": 2,
    "WRONG_TASK": 2,
    "EMPTY_PROMPT": 2,
    "GRAMMAR": 2,
    "PROMPT_ENCODING": 2,
    "CHECKPOINT": 3,
    "CKPT": 3,
    "BUNDLE": 4,
    "ORT": 4,
    "UNSUPPORTED": 5,
    "FIDELITY": 5,
    "PICKLE": 5,
    "REMOTE_CODE": 5,
    "TEMPLATE": 5,
    "LIMIT": 6,
    "OUT_OF_MEMORY": 6,
    "PROMPT_TOO_LONG": 6,
    "STORAGE": 7,
    "ADAPTER": 7,
    "KEPT_TEXT": 7,
}
_opened: list[str] | None = None


def status_of(code: str, verb: str) -> int:
    """The exit status that goes with an error code."""
    if code == "TOKENIZER_INVALID":  # the same file of a checkpoint or of a bundle
        return 3 if verb == "export" else 4
    return next(STATUS[start] for start in STATUS if code.startswith(start))


def refused(
    capfd: pytest.CaptureFixture[str],
    arguments: Sequence[object],
    code: str,
    *words: str,
    within: Path,
) -> str:
    """Run a command that must be refused with `code`, naming `words`; returns its line.

    Nothing may change in the folder `within`, which holds all that the command works on, and
    nothing named secret may be opened there.
    """
    before = snapshot(within)
    capfd.readouterr()
    began = time.monotonic()
    with opened_files() as opened:
        status = main([str(argument) for argument in arguments])
    seconds = time.monotonic() - began
    output, errors = capfd.readouterr()
    line = one_line(errors, code, *words)
    assert output == ""
    assert status == status_of(code, str(arguments[0])), line
    assert snapshot(within) == before, "the command left traces"
    assert seconds < MOST_SECONDS
    assert not [name for name in opened if "secret" in name]
    return line


def refuse(
    capfd: Any, place: Path, code: str, *words: str, source: Any = None, options: Any = ()
) -> str:
    """An export over the good bundle that must be refused; the bundle stays as it is."""
    arguments = ["export", source or place / "checkpoint", place / "bundle", "--overwrite"]
    return refused(capfd, [*arguments, *options], code, *words, within=place)


def one_line(errors: str, code: str, *words: str) -> str:
    """The only line of `errors`, which must be safe on a terminal and say `words`."""
    lines = errors.splitlines()
    assert len(lines) == 1, errors
    assert lines[0].startswith(f"error[{code}]: "), errors
    assert len(lines[0]) <= MOST_CHARACTERS and lines[0].isascii() and lines[0].isprintable()
    for word in words:
        assert word in lines[0], errors
    return lines[0]


def snapshot(folder: Path) -> dict[str, Any]:
    """Everything below a folder: contents of files, targets of links, kinds of the rest."""
    found: dict[str, Any] = {}
    for path in sorted(folder.rglob("*")):
        name = str(path.relative_to(folder))
        if path.is_symlink():
            found[name] = os.readlink(path)
        else:
            found[name] = path.read_bytes() if path.is_file() else path.stat().st_mode
    return found


@contextmanager
def opened_files() -> Iterator[list[str]]:
    """The names of all files that Python code opens meanwhile."""
    global _opened
    _opened = []
    try:
        yield _opened
    finally:
        _opened = None


def _watch(event: str, arguments: tuple[Any, ...]) -> None:
    if event == "open" and _opened is not None:
        _opened.append(str(arguments[0]))


sys.addaudithook(_watch)  # cannot be taken back, so there is one for all tests
