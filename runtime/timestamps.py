"""What Whisper's timestamp tokens mean: which may come next, and how they cut a window into segments.

As in transformers and the paper (Radford et al., 2022, section 2.3): timestamps come in pairs around a
segment, never go back, and one is taken where together they are likelier than any other token.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Cut:
    """Tokens between two steps of time from the beginning of a window."""

    start: int
    end: int
    tokens: list[int]


@dataclass(frozen=True)
class Timestamps:
    """Ids from `first` on are steps of time; the one before says that there are none.

    `end` ends a text and is below them; the first timestamp is `latest_start` steps at most, if given.
    """

    first: int
    end: int
    latest_start: int | None = None

    def __call__(self, scores: NDArray[np.float32], text: NDArray[np.int64], new: int) -> None:
        """Rule out, in `scores` [vocab], what may not come after `text`, whose last `new` ids are new."""
        first, tokens = self.first, text[len(text) - new :].tolist()
        scores[first - 1] = -np.inf
        if not tokens:
            scores[:first] = -np.inf
            if self.latest_start is not None:
                scores[first + self.latest_start + 1 :] = -np.inf
            return
        after_time = tokens[-1] >= first
        opened = after_time and (len(tokens) == 1 or tokens[-2] >= first)
        latest = next((token for token in reversed(tokens) if token >= first), None)
        if latest is not None:
            # Only what closes a segment and what opens the next may be the same time.
            scores[first : latest + (0 if after_time and not opened else 1)] = -np.inf
        if opened:
            scores[first:] = -np.inf
        elif after_time:
            scores[: self.end] = -np.inf
        weights = np.exp(scores - scores.max())
        if weights[first:].sum() > weights[:first].max():
            scores[:first] = -np.inf

    def cut(self, tokens: Sequence[int], steps: int) -> tuple[list[Cut], int]:
        """The segments in the tokens of a window of so many steps, and where the next window begins.

        Where the last segment is open, the next window begins with it; else behind this one.
        """
        times = [token >= self.first for token in tokens]
        bounds = [i + 1 for i in range(len(tokens) - 1) if times[i] and times[i + 1]]
        if not bounds:
            return [Cut(0, self._end_of_one(tokens, steps), list(tokens))], steps
        if times[-2:] == [False, True]:  # nothing is said after the last segment
            return list(self._between([*bounds, len(tokens)], tokens)), steps
        cuts = list(self._between(bounds, tokens))
        return cuts, max(1, cuts[-1].end)

    def _between(self, bounds: Sequence[int], tokens: Sequence[int]) -> Iterator[Cut]:
        for start, end in zip([0, *bounds], bounds, strict=False):
            part = list(tokens[start:end])
            yield Cut(part[0] - self.first, part[-1] - self.first, part)

    def _end_of_one(self, tokens: Sequence[int], steps: int) -> int:
        """Where a window's only segment ends: at its last timestamp, unless that is its beginning."""
        latest = next((token for token in reversed(tokens) if token >= self.first), self.first)
        return latest - self.first or steps
