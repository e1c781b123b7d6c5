"""A bundle opened as the kind of model that it holds."""

from __future__ import annotations

from pathlib import Path
from typing import TypeVar

import satchel

M = TypeVar("M")


def load_as(kind: type[M], folder: Path, threads: int | None = None) -> M:
    """`satchel.load`, whose result must be of this class."""
    model = satchel.load(folder, threads=threads)
    assert isinstance(model, kind)
    return model
