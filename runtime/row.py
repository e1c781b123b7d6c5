"""One text of a batch being generated. Knows no graph."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from satchel.runtime.drafter import Drafter
from satchel.runtime.errors import SatchelError
from satchel.runtime.sample import Sampler


@dataclass(eq=False)
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
    top: int = 0  # how many likely ids are to be collected with each, with their log-probabilities
    tops: list[list[tuple[int, float]]] = field(default_factory=list)
    finish_reason: str | None = None
    drafters: list[Drafter] = field(default_factory=list)  # of a single text: asked in this order
    tried: Counter[str] = field(default_factory=Counter)  # ids that were read ahead, by drafter
    ahead: Counter[str] = field(default_factory=Counter)  # those that were right: steps saved
    error: SatchelError | None = None  # what ended it, where that was an error of its own

    @cached_property
    def _start(self) -> NDArray[np.int64]:
        return np.asarray(self.prompt, np.int64)

    def text(self) -> NDArray[np.int64]:
        """Prompt and new ids, int64 [length]."""
        return np.concatenate([self._start, np.array(self.tokens, np.int64)])
