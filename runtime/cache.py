"""The keys and values of a batch of texts, in buffers that the graph writes in place. Knows no ids.

Past and present of a layer are bound to the same memory, so that a step copies nothing. Rolling back
or reusing a prefix is only a change of length, kept by the caller.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from satchel.runtime.bundle import PARTS, CacheGeometry
from satchel.runtime.errors import LimitError

FIRST_CAPACITY = 128


class KVCache:
    """Buffers [batch, kv_heads, capacity, head_dim] per layer and part, grown by doubling."""

    def __init__(self, geometry: CacheGeometry, batch: int, context: int) -> None:
        self.geometry = geometry
        self.batch = batch
        self.context = context
        self.capacity = 0
        self.arrays: dict[tuple[int, str], NDArray[Any]] = {}
        self.values: dict[tuple[int, str], Any] = {}

    def reserve(self, positions: int) -> bool:
        """Make room for `positions` per row, keeping what is there; True if buffers moved."""
        if positions <= self.capacity:
            return False
        capacity = max(FIRST_CAPACITY, self.capacity)
        while capacity < positions:
            capacity *= 2
        capacity = min(capacity, self.context)
        grown = self._allocated(self.batch, capacity)
        for place, array in grown.items():
            if place in self.arrays:
                array[:, :, : self.capacity] = self.arrays.pop(place)
        self.capacity = capacity
        self._take(grown)
        return True

    def reorder(
        self, rows: NDArray[np.int64], shared: NDArray[np.int64], lengths: NDArray[np.int64]
    ) -> bool:
        """Make row i what row rows[i] is, for as many rows as there are; True if buffers moved.

        Copies only what is used: of a row, the positions below `lengths[rows[i]]` and beyond the
        first `shared[i]`, which row i is known to hold already.
        """
        count, more = len(rows), len(rows) > self.batch
        arrays = self._allocated(count, self.capacity) if more else self.arrays
        moves = [(to, row) for to, row in enumerate(rows.tolist()) if more or to != row]
        if not more and _overwrites(moves):
            targets, sources = map(list, zip(*moves, strict=True))
            used = int(lengths.max())
            for array in arrays.values():
                array[targets, :, :used] = array[sources, :, :used]
        else:
            # Row by row: a copy of many rows at once takes twice as long.
            parts = [(to, row, int(shared[to]), int(lengths[row])) for to, row in moves]
            for place, array in arrays.items():
                source = self.arrays[place]
                for to, row, begin, end in parts:
                    array[to, :, begin:end] = source[row, :, begin:end]
        if count == self.batch:
            return False
        self.batch = count
        self._take({place: array[:count] for place, array in arrays.items()})
        return True

    def _allocated(self, batch: int, capacity: int) -> dict[tuple[int, str], NDArray[Any]]:
        shape = (batch, self.geometry.kv_heads, capacity, self.geometry.head_dim)
        places = [(layer, part) for layer in range(self.geometry.layers) for part in PARTS]
        try:
            return {place: np.zeros(shape, self.geometry.dtype) for place in places}
        except MemoryError as error:  # the buffers in use are untouched
            size = self.geometry.bytes_per_position * capacity * batch
            raise LimitError(
                f"no memory for a cache of {capacity} positions ({size >> 20} MB)", "OUT_OF_MEMORY"
            ) from error

    def _take(self, arrays: dict[tuple[int, str], NDArray[Any]]) -> None:
        self.arrays = arrays  # the OrtValues are views: the arrays must outlive them
        self.values = {
            place: ort.OrtValue.ortvalue_from_numpy(array) for place, array in arrays.items()
        }

    def bind(self, binding: Any) -> None:
        """Bind every layer's past and present to its buffer."""
        for (layer, part), value in self.values.items():
            binding.bind_ortvalue_input(f"past_key_values.{layer}.{part}", value)
            binding.bind_ortvalue_output(f"present.{layer}.{part}", value)


def _overwrites(moves: list[tuple[int, int]]) -> bool:
    """Whether a row is read after it was written, where (to, row) are copied one after another."""
    written: set[int] = set()
    for to, row in moves:
        if row in written:
            return True
        written.add(to)
    return False
