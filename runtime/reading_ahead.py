"""The steps of a text that has drafters: several ids are read in one run. Knows no choosing.

A step returns the logits that `Run.step` would, so whoever chooses from them, by whatever rule, chooses
the same.
"""

from __future__ import annotations

from collections.abc import Collection
from time import perf_counter

import numpy as np
from numpy.typing import NDArray

from satchel.runtime.decoder_session import FEW, Logits, Run
from satchel.runtime.drafter import Drafter, Round
from satchel.runtime.row import Row

clock = perf_counter  # seconds; what is read ahead may depend on it, never what is chosen


class ReadingAhead:
    """The steps of a row with drafters, in the place of its run's; the first with a draft is heard."""

    def __init__(self, run: Run, row: Row, ends: Collection[int]) -> None:
        self.run, self.row, self.ends = run, row, ends
        self.length = int(run.lengths[0])  # of the text; what the run holds beyond is a draft
        self.draft: list[int] = []
        self.logits: Logits = np.empty((0, 0), np.float32)  # before each id of the draft, and after
        self._round: Round | None = None

    def step(self, tokens: NDArray[np.int64], active: NDArray[np.bool_] | None = None) -> Logits:
        """As `Run.step` of a single text, [1, vocab]."""
        token = int(tokens[0])
        for drafter in self.row.drafters:
            drafter.add(token)
        self.length += 1
        past = self._round
        if self.draft and self.draft.pop(0) == token:
            assert past is not None and past.drafter is not None
            self.run.cancel.check()
            past.gained += 1
            self.row.ahead[past.drafter.name] += 1
            self.logits = self.logits[1:]
        else:
            for drafter in self.row.drafters:
                if past is not None:
                    drafter.after(past)
            self.logits = self._read(token)
        return self.logits[:1]

    def _read(self, token: int) -> Logits:
        """Read an id and a draft behind it; the logits behind each, [1 + draft, vocab]."""
        self.run.rewind(self.length - 1)
        begin = clock()
        drafter = self._drafted()
        middle = clock()
        logits = (
            self.run.read([token, *self.draft]) if drafter else self.run.step(np.array([token]))
        )
        self._round = Round(drafter, middle - begin, clock() - middle)
        return logits

    def _drafted(self) -> Drafter | None:
        """Ask for a draft; whose it is."""
        left = self.row.limit - len(self.row.tokens)
        undone = self.run.cache.whole - self.length + 1  # ids that can be rolled back
        most = min(left, FEW, undone) - 1
        for drafter in self.row.drafters:
            self.draft = drafter.draft(most, self.ends)
            if self.draft:
                self.row.tried[drafter.name] += len(self.draft)
                return drafter
        return None

    def close(self) -> None:
        """Forget what is left of a draft: the run holds the text alone."""
        self.run.rewind(min(self.length, len(self.run.ids)))
