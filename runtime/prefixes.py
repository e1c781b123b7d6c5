"""Beginnings that texts share, kept so that they are read once: a tree of blocks of ids. Knows no text.

A block holds the keys and values of BLOCK ids, which depend on the ids before it too: it is found by its
parent and its ids. The blocks least recently used are let go, those that nothing follows first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satchel.runtime.cache import KVCache
from satchel.runtime.cancel import Cancel
from satchel.runtime.decoder_session import DecoderSession, Run

BLOCK = 32


@dataclass(eq=False)
class _Block:
    parent: _Block | None
    ids: tuple[int, ...]
    values: list[NDArray[Any]]  # of each layer and part, [kv_heads, BLOCK, head_dim]
    children: int = 0

    @property
    def size(self) -> int:
        return sum(array.nbytes for array in self.values)


class PrefixCache:
    """What was read of texts, up to `limit` bytes. One thread at a time.

    A cache of windows keeps no beginnings: then every text is read anew.
    """

    def __init__(self, decoder: DecoderSession, limit: int) -> None:
        self.decoder = decoder
        self.limit = 0 if decoder.geometry.windows else limit
        self.size = 0
        # By parent and ids; the least recently used first.
        self._blocks: dict[tuple[_Block | None, tuple[int, ...]], _Block] = {}

    def start(self, ids: Sequence[int], cancel: Cancel | None = None) -> Run:
        """A run of a single text that holds as much of `ids` as is known, all but the last at most."""
        run = self.decoder.start(1, cancel)
        known = list(self._known(ids[: len(ids) - 1]))
        if not known:
            return run
        run.reserve(np.array([len(ids)]))  # at once, so that buffers need not move
        for place, array in enumerate(run.hold(ids[: BLOCK * len(known)])):
            for number, block in enumerate(known):
                array[:, number * BLOCK : (number + 1) * BLOCK] = block.values[place]
        return run

    def keep(self, ids: Sequence[int], cache: KVCache) -> None:
        """Remember a text that has been read: `cache` is of a single row and holds these ids."""
        if not self.limit:
            return
        parent = None
        for start in range(0, len(ids) - BLOCK + 1, BLOCK):
            part = tuple(ids[start : start + BLOCK])
            block = self._blocks.get((parent, part))
            if block is None:
                arrays = cache.arrays.values()
                values = [array[0, :, start : start + BLOCK].copy() for array in arrays]
                block = _Block(parent, part, values)
                self.size += block.size
                if parent is not None:
                    parent.children += 1
            self._use(block)
            parent = block
        self._shrink()

    def _known(self, ids: Sequence[int]) -> Iterator[_Block]:
        parent = None
        for start in range(0, len(ids) - BLOCK + 1, BLOCK):
            parent = self._blocks.get((parent, tuple(ids[start : start + BLOCK])))
            if parent is None:
                return
            self._use(parent)
            yield parent

    def _use(self, block: _Block) -> None:
        """Make it the most recently used."""
        key = (block.parent, block.ids)
        self._blocks.pop(key, None)
        self._blocks[key] = block

    def _shrink(self) -> None:
        while self.size > self.limit:
            # A parent is used before its children, so one without children is near the front.
            key, block = next((k, b) for k, b in self._blocks.items() if not b.children)
            del self._blocks[key]
            self.size -= block.size
            if block.parent is not None:
                block.parent.children -= 1
