"""The greatest of many numbers, the same ones on every processor. Knows no model."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray


def places_of_greatest(values: NDArray[Any], count: int) -> NDArray[np.int64]:
    """Places [rows, count] of the greatest `count` of each row of [rows, n], ascending; of equal ones the
    first. All places where there are no more.

    `argpartition` alone leaves to the processor's instructions which of equal ones it takes, and in
    which order.
    """
    if count >= values.shape[1]:
        return np.broadcast_to(np.arange(values.shape[1]), values.shape)
    least = np.partition(values, -count, axis=1)[:, -count, None]
    above, equal = values > least, values == least
    chosen = above | (equal & (equal.cumsum(axis=1) <= count - above.sum(axis=1, keepdims=True)))
    if np.count_nonzero(chosen) != count * len(values):  # some are no numbers
        return np.sort(np.argpartition(values, -count, axis=1)[:, -count:])
    places: NDArray[np.int64] = np.nonzero(chosen)[1].reshape(len(values), count)
    return places
