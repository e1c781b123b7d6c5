"""Vectors in fewer bits, with the numbers that sentence-transformers makes of them."""

from __future__ import annotations

import logging
from typing import Any

import numpy as np

from satchel.runtime.errors import UsageError, shown
from satchel.sentence.arrays import Array, array_of

log = logging.getLogger("satchel.sentence")
PRECISIONS = ("float32", "int8", "uint8", "binary", "ubinary")
FEW = 100  # vectors that ranges are hardly known from
STEPS = 255


def quantize_embeddings(
    embeddings: Any,
    precision: str,
    ranges: Any = None,
    calibration_embeddings: Any = None,
) -> Array:
    """Vectors [n, dim] at `precision`: a byte per number, or with "binary" and "ubinary" a bit.

    A byte says where a number lies between the least and the greatest of its column: `ranges` [2, dim],
    else those of `calibration_embeddings`, else of the vectors themselves.
    """
    check_precision(precision)
    if getattr(embeddings, "dtype", None) in (np.int8, np.uint8):
        raise UsageError("the embeddings are quantized already: expected floats")
    vectors = array_of(embeddings)
    if vectors.ndim > 2:
        raise UsageError(f"embeddings of shape {list(vectors.shape)}; expected [n, dim]")
    if precision == "float32":
        return vectors.astype(np.float32)
    if precision in ("binary", "ubinary"):
        bits = np.packbits(vectors > 0, axis=-1)
        return bits if precision == "ubinary" else (bits - np.uint8(128)).view(np.int8)
    least, greatest = _ranges(vectors, precision, ranges, calibration_embeddings)
    steps = (greatest - least) / STEPS
    steps = np.where(steps == 0, 1, steps)
    places = np.clip(np.floor((vectors - least) / steps), 0, STEPS)
    return places.astype(np.uint8) if precision == "uint8" else (places - 128).astype(np.int8)


def check_precision(precision: Any) -> None:
    """Raise UsageError unless it is the name of one."""
    if precision not in PRECISIONS:
        raise UsageError(
            f"precision = {shown(precision)} is not supported; known: {', '.join(PRECISIONS)}"
        )


def _ranges(vectors: Array, precision: str, ranges: Any, calibration: Any) -> Array:
    """float32 [2, dim]: the least and the greatest number of each column."""
    if ranges is not None:
        return array_of(ranges).astype(np.float32)
    if calibration is None:
        if vectors.ndim == 1 or len(vectors) == 1:
            raise UsageError(
                f"precision {precision} takes its ranges from several embeddings, not from one: call "
                "quantize_embeddings with ranges or calibration_embeddings"
            )
        if 0 < len(vectors) < FEW:
            log.warning("ranges for %s from %d embeddings only", precision, len(vectors))
    known = vectors if calibration is None else array_of(calibration)
    if not len(known):
        return np.zeros((2, known.shape[-1]), np.float32)
    return np.stack([known.min(0), known.max(0)]).astype(np.float32)
