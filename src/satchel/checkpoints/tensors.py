"""The weights of a checkpoint, read when asked for. Knows no file format."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from satchel.runtime.errors import shown

if TYPE_CHECKING:
    import torch


@dataclass(frozen=True)
class LazyTensor:
    """A weight that is read when asked for. `load` returns float32, shape `shape`."""

    shape: tuple[int, ...]
    load: Callable[[], torch.Tensor]


def some(names: Sequence[str], count: int = 5, limit: int = 56) -> str:
    """The first names of a list from a file, safe to print and short enough for one line."""
    more = f" and {len(names) - count} more" if len(names) > count else ""
    return ", ".join(shown(name, limit) for name in names[:count]) + more
