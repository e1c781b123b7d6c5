"""Progress bars on a terminal, silence in a pipe. Knows no work."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Callable, Iterable
from typing import Any

from satchel.runtime.bundle import Progress

Stage = Callable[[str], Progress]  # a name of a stage gives what to wrap its work items in


def quiet(name: str) -> Progress:
    """No progress at all."""
    return iter


def bars(name: str) -> Progress:
    """A bar on stderr if that is a terminal and tqdm is installed."""
    if not sys.stderr.isatty():
        return iter
    try:
        from tqdm import tqdm
    except ImportError:
        return iter

    def wrap(items: Iterable[Any]) -> Iterable[Any]:
        bar: Iterable[Any] = tqdm(items, desc=f"{name:<26}", leave=True, **_shape())
        return bar

    return wrap


def _shape() -> dict[str, Any]:
    """tqdm's options for the terminal; of one that does not tell its size it would make blank lines."""
    try:
        told = all(os.get_terminal_size(sys.stderr.fileno()))
    except (OSError, ValueError):
        told = False
    if told:
        return {"dynamic_ncols": True}
    columns, rows = shutil.get_terminal_size((79, 24))
    return {"ncols": columns, "nrows": rows}
