"""Continuous batching (Yu et al., 2022): texts join and leave a batch between steps. Knows no text.

Each text's ids are those it has alone, whoever is written beside it: rows of a step do not touch one
another.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from satchel.runtime.cache import KVCache
from satchel.runtime.decoder_session import DecoderSession, Logits, Run
from satchel.runtime.errors import SatchelError
from satchel.runtime.generation_loop import choose
from satchel.runtime.row import Row


class ContinuousBatch:
    """The texts that one decoder is writing. One thread at a time.

    A round is `choose`, then `step`: between them whoever reads the ids may end a text (`finish_reason`).
    """

    def __init__(self, decoder: DecoderSession, eos: Sequence[int]) -> None:
        self.decoder = decoder
        self.ends = frozenset(eos)
        self.rows: list[Row] = []
        self._run = decoder.start(0)
        self._logits: Logits = np.empty((0, decoder.vocab_size), np.float32)  # of each row

    def join(self, row: Row, run: Run, logits: Logits) -> None:
        """Go on with a text whose prompt `run` has read; `logits` [1, vocab] are those behind it."""
        self._run.join(run)
        self.rows.append(row)
        self._logits = np.concatenate([self._logits, logits])

    def choose(self) -> list[tuple[Row, int]]:
        """The next id of each text; one that ends with it, or cannot go on, says so and has none.

        What stops one text (options that leave no id) is kept in its `error`.
        """
        chosen = []
        for place, row in enumerate(self.rows):
            try:
                [token] = choose([row], self._logits[place : place + 1], self.ends)
            except SatchelError as error:
                row.error, row.finish_reason = error, "error"
                continue
            if row.finish_reason is None:
                chosen.append((row, token))
                if len(row.tokens) >= row.limit:
                    row.finish_reason = "length"
        return chosen

    def held(self, row: Row) -> tuple[list[int], KVCache]:
        """The ids of a text that have been read, and the cache of its row until the next `step`."""
        place = self.rows.index(row)
        length = int(self._run.lengths[place])
        return row.text()[:length].tolist(), self._run.cache.row(place)

    def step(self) -> None:
        """Let go the texts that have ended and read the ids that the others chose."""
        for place in reversed(range(len(self.rows))):
            if self.rows[place].finish_reason is not None:
                self._run.leave(place)
                self.rows[place] = self.rows[-1]
                del self.rows[-1]
        if self.rows:
            tokens = np.array([row.tokens[-1] for row in self.rows], np.int64)
            self._logits = self._run.step(tokens)
        else:
            self._run.cache.release()
            self._run = self.decoder.start(0)
            self._logits = self._logits[:0]
