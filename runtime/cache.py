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
        self.arrays: dict[tuple[int, str], NDArray[np.float32]] = {}
        self.values: dict[tuple[int, str], Any] = {}

    def reserve(self, positions: int) -> bool:
        """Make room for `positions` per row, keeping what is there; True if buffers moved."""
        if positions <= self.capacity:
            return False
        capacity = max(FIRST_CAPACITY, self.capacity)
        while capacity < positions:
            capacity *= 2
        capacity = min(capacity, self.context)
        shape = (self.batch, self.geometry.kv_heads, capacity, self.geometry.head_dim)
        places = [(layer, part) for layer in range(self.geometry.layers) for part in PARTS]
        try:
            grown = {place: np.zeros(shape, np.float32) for place in places}
        except MemoryError as error:  # the buffers in use are untouched
            size = self.geometry.bytes_per_position * capacity * self.batch
            raise LimitError(
                f"no memory for a cache of {capacity} positions ({size >> 20} MB)", "OUT_OF_MEMORY"
            ) from error
        for place in places:
            if place in self.arrays:
                grown[place][:, :, : self.capacity] = self.arrays.pop(place)
            # The OrtValue is a view: the array must outlive it.
            self.values[place] = ort.OrtValue.ortvalue_from_numpy(grown[place])
        self.arrays, self.capacity = grown, capacity
        return True

    def bind(self, binding: Any) -> None:
        """Bind every layer's past and present to its buffer."""
        for (layer, part), value in self.values.items():
            binding.bind_ortvalue_input(f"past_key_values.{layer}.{part}", value)
            binding.bind_ortvalue_output(f"present.{layer}.{part}", value)
