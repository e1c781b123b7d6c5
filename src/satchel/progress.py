"""Progress bars on a terminal, silence in a pipe. Knows no work."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable
from typing import Any

from satchel.runtime.bundle import Progress

USUAL_WIDTH, USUAL_HEIGHT = 80, 24
Stage = Callable[[str], Progress]  # a name of a stage gives what to wrap its work items in


def _width() -> int:
    """Columns of the terminal on stderr, 0 where it does not say."""
    try:
        return os.get_terminal_size(sys.stderr.fileno()).columns
    except OSError:
        return 0


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
        # Of a terminal that does not say how wide it is, tqdm would draw empty lines.
        width = (
            {"dynamic_ncols": True} if _width() else {"ncols": USUAL_WIDTH, "nrows": USUAL_HEIGHT}
        )
        bar: Iterable[Any] = tqdm(items, desc=f"{name:<26}", leave=True, **width)
        return bar

    return wrap
