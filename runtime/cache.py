"""The keys and values of a batch of texts, in buffers that the graph writes in place. Knows no ids.

Past and present of a layer are one memory. Rolling back only changes a length, which the caller keeps.
A layer with a window may keep the last positions alone. Which, and where, the kernel decides that lets
others go, so a text that is longer than what is kept cannot be rolled back.
"""

from __future__ import annotations

import threading
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from satchel.runtime.errors import LimitError
from satchel.runtime.manifest import PARTS, CacheGeometry

FIRST_CAPACITY = 128
CHUNK = 128  # positions at most that a run may write where a window is kept
ROOM = CHUNK + 64  # positions that are kept beyond a window: a run's own, and a tile of our kernels
KEPT = 128 << 20  # bytes of memory that wait for the next cache, at most

Block = NDArray[np.uint8]
Buffers = dict[tuple[int, str], NDArray[Any]]  # (layer, part) -> what is kept of it


class Memory:
    """Blocks that caches gave back, for those to come. Safe to use from several threads.

    Memory that is new to the process is slow where it is first touched: a large cache of it costs as
    much as several steps.
    """

    def __init__(self) -> None:
        self._spare: list[Block] = []
        self._lock = threading.Lock()

    def take(self, size: int) -> Block:
        """`size` bytes or more, zeros or what another cache left there."""
        with self._lock:
            fitting = [i for i, block in enumerate(self._spare) if len(block) >= size]
            if fitting:
                return self._spare.pop(min(fitting, key=lambda i: len(self._spare[i])))
        return np.zeros(size, np.uint8)

    def give(self, block: Block) -> None:
        """Take back a block, unless too much is waiting already."""
        with self._lock:
            if len(block) + sum(map(len, self._spare)) <= KEPT:
                self._spare.append(block)


class KVCache:
    """Buffers [batch, kv_heads, capacity, head_dim] per layer and part, grown by doubling."""

    def __init__(
        self, geometry: CacheGeometry, batch: int, context: int, memory: Memory | None = None
    ) -> None:
        self.geometry = geometry
        self.batch = batch
        self.context = context
        self.memory = memory or Memory()
        self.capacity = 0  # of layers without a window
        self.arrays: Buffers = {}
        self.values: dict[tuple[int, str], Any] = {}
        self._block: Block | None = None  # which the arrays are views of
        self._rooms: Buffers = {}  # the arrays with the rows that are free behind the batch
        kept = [window + ROOM for window in geometry.windows if window is not None]
        self.whole = min(kept, default=context)  # positions up to which every layer keeps all

    def reserve(self, positions: int) -> bool:
        """Make room for `positions` per row, keeping what is there; True if buffers moved."""
        positions += self.geometry.spare
        if positions <= self.capacity:
            return False
        capacity = max(FIRST_CAPACITY, self.capacity)
        while capacity < positions:
            capacity *= 2
        capacity = min(capacity, self.context + self.geometry.spare)
        block, grown = self._allocated(self.batch, capacity)
        for place, array in self.arrays.items():
            grown[place][:, :, : array.shape[2]] = array
        self.capacity = capacity
        self._move(block, grown)
        return True

    def reorder(
        self, rows: NDArray[np.int64], shared: NDArray[np.int64], lengths: NDArray[np.int64]
    ) -> bool:
        """Make row i what row rows[i] is, for as many rows as there are; True if buffers moved.

        Copies the positions below `lengths[rows[i]]` and beyond the first `shared[i]`, which row i is
        known to hold already.
        """
        count, more = len(rows), len(rows) > self.batch
        block, arrays = self._block, self.arrays
        if more:
            block, arrays = self._allocated(count, self.capacity)
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
                    begin = begin if end <= array.shape[2] else 0  # all has moved
                    array[to, :, begin:end] = source[row, :, begin:end]
        if count == self.batch:
            return False
        self.batch = count
        self._move(block, arrays if more else self._rooms)
        return True

    def add(self, other: KVCache, length: int) -> None:
        """One row more: the first `length` positions of a cache of a single row. Buffers move."""
        self.reserve(length)
        block: Block | None
        if self.batch == len(self._rooms[0, PARTS[0]]):
            block, rooms = self._allocated(max(4, 2 * self.batch), self.capacity)
            for place, array in self.arrays.items():
                rooms[place][: self.batch] = array
        else:
            block, rooms = self._block, self._rooms
        for place, array in other.arrays.items():
            end = min(length, array.shape[2])  # of a window, all that is kept
            rooms[place][self.batch, :, :end] = array[0, :, :end]
        self.batch += 1
        self._move(block, rooms)

    def held(self, length: int) -> list[NDArray[Any]]:
        """A single row's first `length` positions: a view [kv_heads, positions, head_dim] of each buffer.

        Of a layer that keeps the last ones alone, all that is kept, as it lies.
        """
        return [array[0, :, :length] for array in self.arrays.values()]

    def row(self, row: int) -> KVCache:
        """A cache of that row alone, in the same buffers, for as long as those stay where they are."""
        alone = KVCache(self.geometry, 1, self.context, self.memory)
        alone.capacity = self.capacity
        alone._move(None, {place: array[row : row + 1] for place, array in self.arrays.items()})
        return alone

    def release(self) -> None:
        """Give the memory to the caches to come. Nothing may read or write it by this one again."""
        self.capacity = 0
        self._move(None, {})

    def _allocated(self, batch: int, capacity: int) -> tuple[Block, Buffers]:
        """A block of memory, and views of it for every layer and part."""
        geometry = self.geometry
        windows = geometry.windows or [None] * geometry.layers
        rooms = [capacity if w is None else min(capacity, w + ROOM) for w in windows]
        item = np.dtype(geometry.dtype).itemsize
        row = batch * geometry.kv_heads * geometry.head_dim * item  # bytes of one position
        size = len(PARTS) * row * sum(rooms)
        try:
            block = self.memory.take(size)
        except MemoryError as error:  # the buffers in use are untouched
            raise LimitError(
                f"no memory for a cache of {capacity} positions ({size >> 20} MB)", "OUT_OF_MEMORY"
            ) from error
        views: Buffers = {}
        begin = 0
        for layer, room in enumerate(rooms):
            shape = (batch, geometry.kv_heads, room, geometry.head_dim)
            for part in PARTS:
                end = begin + row * room
                views[layer, part] = block[begin:end].view(geometry.dtype).reshape(shape)
                begin = end
        return block, views

    def _move(self, block: Block | None, rooms: Buffers) -> None:
        if self._block is not None and block is not self._block:
            self.memory.give(self._block)
        self._block, self._rooms = block, rooms
        self.arrays = {place: room[: self.batch] for place, room in rooms.items()}
        self.values = {  # views: the block must outlive them
            place: ort.OrtValue.ortvalue_from_numpy(array) for place, array in self.arrays.items()
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
