"""Options of sampling, and what chooses an id by them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from satchel.runtime.options import Options
from satchel.runtime.processors import processors
from satchel.runtime.sample import Sampler, highest


def as_options(options: Mapping[str, Any]) -> Options:
    return Options.from_options(options, {})


def chooser(options: Options, size: int) -> Callable[[np.ndarray, Sequence[int]], int]:
    """Chooses from `size` logits after a history."""
    changes = processors(options, size, (), start=0, limit=9, source=())
    sampler = Sampler(options, changes)

    def choose(logits: np.ndarray, history: Sequence[int]) -> int:
        for process in changes:
            process(logits, np.array(history, np.int64), 0)
        return sampler(logits, *highest(logits[None]))

    return choose
