"""Ids of tokens from outside, checked before they reach a graph. Knows no text."""

from __future__ import annotations

import operator
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satchel.runtime.errors import UsageError, shown


def caller_ids(prompt: Any, vocab_size: int) -> list[int]:
    """The caller's ids as plain integers. Raises UsageError at the first that is not an id."""
    if isinstance(prompt, bytes | bytearray) or not isinstance(prompt, Iterable):
        raise UsageError(f"expected a text or a list of ids, got {type(prompt).__name__}")
    ids = []
    for place, token in enumerate(prompt):
        try:
            number = operator.index(token)
        except TypeError:
            number = -1
        if isinstance(token, bool) or not 0 <= number < vocab_size:
            raise UsageError(
                f"id {shown(token)} at index {place} is not a whole number in 0..{vocab_size - 1}",
                "TOKEN_ID",
            )
        ids.append(number)
    return ids


def graph_ids(tokens: Sequence[int], vocab_size: int) -> NDArray[np.int64]:
    """Ids as an array; ONNX Runtime would wrap negative ones and read zeros beyond the last."""
    ids = np.asarray(tokens)
    if ids.ndim != 1 or not ids.size:
        raise UsageError("the prompt is empty" if not ids.size else "ids must be a flat list")
    if ids.dtype.kind not in "iu":
        raise UsageError(f"ids must be integers, not {ids.dtype}", "TOKEN_ID")
    outside = np.flatnonzero((ids < 0) | (ids >= vocab_size))
    if outside.size:
        raise UsageError(
            f"id {ids[outside[0]]} at index {outside[0]} is outside 0..{vocab_size - 1}", "TOKEN_ID"
        )
    return ids.astype(np.int64)
