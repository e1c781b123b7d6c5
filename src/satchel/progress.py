"""Progress bars on a terminal, silence in a pipe. Knows no work."""

from __future__ import annotations

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
        bar: Iterable[Any] = tqdm(items, desc=f"{name:<26}", leave=True, dynamic_ncols=True)
        return bar

    return wrap
