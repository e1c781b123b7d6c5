"""The steps of a text whose next ids are looked up: several are read in one run. Knows no choosing.

A step returns the logits that `Run.step` would, so whoever chooses from them, by whatever rule, chooses
the same.
"""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
from numpy.typing import NDArray

from satchel.runtime.decoder_session import FEW, Logits, Run
from satchel.runtime.lookup import Lookup
from satchel.runtime.row import Row


class ReadingAhead:
    """The steps of a row with a lookup, in the place of its run's."""

    def __init__(self, run: Run, row: Row, lookup: Lookup, ends: Collection[int]) -> None:
        self.run, self.row, self.lookup, self.ends = run, row, lookup, ends
        self.length = int(run.lengths[0])  # of the text; what the run holds beyond is a draft
        self.draft: list[int] = []
        self.logits: Logits = np.empty((0, 0), np.float32)  # before each id of the draft, and after

    def step(self, tokens: NDArray[np.int64], active: NDArray[np.bool_] | None = None) -> Logits:
        """As `Run.step` of a single text, [1, vocab]."""
        token = int(tokens[0])
        self.lookup.add(token)
        self.length += 1
        if self.draft and self.draft.pop(0) == token:
            self.run.cancel.check()
            self.row.looked_up += 1
            self.logits = self.logits[1:]
        else:
            self.run.rewind(self.length - 1)
            left = self.row.limit - len(self.row.tokens)
            undone = self.run.cache.whole - self.length + 1  # ids that can be rolled back
            self.draft = self.lookup.draft(min(left, FEW, undone) - 1, self.ends)
            ahead = [token, *self.draft]
            self.logits = self.run.read(ahead) if self.draft else self.run.step(tokens, active)
        return self.logits[:1]

    def close(self) -> None:
        """Forget what is left of a draft: the run holds the text alone."""
        self.run.rewind(min(self.length, len(self.run.ids)))
