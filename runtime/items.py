"""What a caller gives where one text or several may stand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from satchel.runtime.errors import UsageError, shown


def listed(name: str, texts: Any) -> list[Any]:
    """One text or several, as a list; what they are is checked where they are read."""
    if isinstance(texts, str):
        return [texts]
    if isinstance(texts, bytes) or not isinstance(texts, Iterable):
        raise UsageError(f"{name}: expected a text or a list of texts, got {type(texts).__name__}")
    return list(texts)


def check_count(name: str, value: Any) -> None:
    """Raise UsageError unless `value` is a whole number from 1."""
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise UsageError(f"{name} = {shown(value)}; expected a whole number of at least 1")
