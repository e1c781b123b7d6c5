"""The generation loop: a generator of ids over a batch. Knows no text."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from satchel.runtime.decoder import Cancelled, Run
from satchel.runtime.lookup import Lookup, ReadingAhead
from satchel.runtime.sample import Sampler, log_probability

NOTHING = np.empty(0, np.int64)  # the text where no processor looks at it


@dataclass
class Row:
    """One text of a batch being generated.

    `finish_reason` is None while it runs, then "eos", "length", "stop" (set by whoever reads the
    text and found a stop string) or "cancelled".
    """

    prompt: Sequence[int]  # what the decoder has read before the first new token
    sampler: Sampler
    limit: int  # new tokens at most
    prompt_tokens: int  # of the caller's prompt
    tokens: list[int] = field(default_factory=list)
    logprobs: list[float] | None = None  # a list to have them collected
    finish_reason: str | None = None
    lookup: Lookup | None = None  # of a single text: what it may go on with is read ahead
    looked_up: int = 0  # new tokens that were read ahead: as many steps were saved

    @cached_property
    def _start(self) -> NDArray[np.int64]:
        return np.asarray(self.prompt, np.int64)

    def text(self) -> NDArray[np.int64]:
        """Prompt and new ids, int64 [length]."""
        return np.concatenate([self._start, np.array(self.tokens, np.int64)])


def generate(run: Run, rows: Sequence[Row], eos: Sequence[int]) -> Iterator[tuple[int, int]]:
    """Yield (row, id) as ids are chosen, until every row has a `finish_reason`.

    A single row continues what `run` already holds of its prompt.
    """
    ends = frozenset(eos)
    for row in rows:
        if row.limit < 1:
            row.finish_reason = "length"
    if all(row.finish_reason for row in rows):
        return
    try:
        single = len(rows) == 1
        logits = (
            run.append(run.reuse(rows[0].prompt))
            if single
            else run.prefill([row.prompt for row in rows])
        )
        lookup = rows[0].lookup if single else None
        step = ReadingAhead(run, rows[0], lookup, ends).step if lookup else run.step
        tokens = np.zeros(len(rows), np.int64)
        while True:
            for index, row in enumerate(rows):
                if row.finish_reason is not None:
                    continue
                tokens[index] = token = _choose(row, logits[index], ends)
                if row.finish_reason is None:
                    yield index, token
                if row.finish_reason is None and len(row.tokens) >= row.limit:
                    row.finish_reason = "length"
            active = np.array([row.finish_reason is None for row in rows])
            if not active.any():
                return
            logits = step(tokens, active)
    except Cancelled:
        pass
    finally:
        for row in rows:
            row.finish_reason = row.finish_reason or "cancelled"


def _choose(row: Row, logits: np.ndarray, ends: frozenset[int]) -> int:
    """Choose and record the row's next id; an end-of-text id finishes it instead."""
    before = logits.copy() if row.logprobs is not None else None  # the sampler may change logits
    text = row.text() if row.sampler.processors else NOTHING
    token = row.sampler(logits, text, len(row.tokens))
    if token in ends:
        row.finish_reason = "eos"
        return token
    row.tokens.append(token)
    if row.logprobs is not None and before is not None:
        row.logprobs.append(log_probability(before, token))
    return token
