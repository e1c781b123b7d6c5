"""A smaller model that drafts for a larger one (Leviathan et al., 2023), while that saves time.

It chooses as the text itself will be: by the same options and draws, from its own logits. Knows no text.
"""

from __future__ import annotations

import statistics
from bisect import bisect
from collections import deque
from collections.abc import Collection, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager

import numpy as np

from satchel.runtime.decoder_session import FEW, Logits, Run
from satchel.runtime.drafter import Drafter, Round, cost_along
from satchel.runtime.errors import UsageError
from satchel.runtime.sample import Sampler

# How often an id is right, by how likely the draft model held it: a first guess, corrected by each id.
SURENESS = (0.3, 0.5, 0.7, 0.85, 0.95)
CHANCES = (0.15, 0.4, 0.6, 0.75, 0.9, 0.97)
MEMORY = 16  # ids after which a chance has forgotten most of what was
WARM, PLAIN = 4, 7  # plain steps at first, and how many of the last are the measure
TRIAL, WINDOW = 8, 16  # rounds with drafts before they are judged, and of the last, how many
FIRST_REST, LONGEST_REST = 32, 1024  # runs without drafts where those lost time


class Pace:
    """Whether drafts save time: seconds for an id with them against those of a plain step."""

    def __init__(self) -> None:
        self.rest = WARM  # runs that are left without drafts
        self.pause = FIRST_REST
        self._plain: deque[float] = deque(maxlen=PLAIN)
        self._rounds: deque[tuple[float, int]] = deque(maxlen=WINDOW)  # seconds, ids

    @property
    def plain(self) -> float:
        """Seconds of a plain step; 0 where nothing is known."""
        return statistics.median(self._plain) if self._plain else 0.0

    def step(self, seconds: float) -> None:
        """A plain step took so long."""
        self._plain.append(seconds)

    def round(self, seconds: float, gained: int) -> None:
        """A draft and reading it took so long for so many ids; rest where that is worse than without."""
        self._rounds.append((seconds, gained))
        if len(self._rounds) < TRIAL:
            return
        took, ids = map(sum, zip(*self._rounds, strict=True))
        if took <= ids * self.plain:
            self.pause = FIRST_REST
            return
        self.rest, self.pause = self.pause, min(2 * self.pause, LONGEST_REST)
        self._rounds.clear()


class DraftModel(Drafter):
    """Drafts of the model whose `run` is set before the first, behind the ids of a prompt.

    `sampler` is the text's own, which is left as it is; ids from `vocab_size` are none of the text's.
    """

    name = "drafted"
    run: Run

    def __init__(self, prompt: Sequence[int], sampler: Sampler, vocab_size: int) -> None:
        self.ids = list(prompt)
        self.prompt = len(prompt)
        self.sampler = sampler
        self.vocab_size = vocab_size
        self.pace = Pace()
        self.chances = list(CHANCES)
        self.expected: list[tuple[int, int]] = []  # ids, and how sure they were
        self._agreed: int | None = (
            None  # how many ids of the run are the text's; None before the first
        )
        self._runs = 0  # of the draft model in this round
        self._share = 0.0  # what one costs of a step

    def add(self, token: int) -> None:
        if self.expected:
            expected, kind = self.expected.pop(0)
            self.chances[kind] += ((expected == token) - self.chances[kind]) / MEMORY
            if expected != token:
                self.expected.clear()
        if (
            self._agreed == len(self.ids) < len(self.run.ids)
            and self.run.ids[self._agreed] == token
        ):
            self._agreed += 1
        self.ids.append(token)

    def draft(self, most: int, ends: Collection[int] = ()) -> list[int]:
        self.expected.clear()
        most = min(most, self.run.decoder.context - len(self.ids))
        if self.pace.rest:
            self.pace.rest -= 1
            return []
        if most < 1 or max(self.ids[self._agreed or 0 :]) >= self.run.decoder.vocab_size:
            return []
        drafted: list[int] = []
        sampler, chance, logits = self.sampler.ahead(), 1.0, self._caught_up()
        cost = cost_along(len(self.ids)) + self._share
        while True:
            token, sure = self._choice(sampler, logits[0], drafted)
            if token in ends or token == self.vocab_size:
                return drafted
            kind = bisect(SURENESS, sure)
            self.expected.append((token, kind))
            chance *= self.chances[kind]
            if chance < cost:  # that all up to here are right
                return drafted
            drafted.append(token)
            if len(drafted) == most:
                return drafted
            logits = self._read([token])

    def after(self, past: Round) -> None:
        if past.drafter is None:
            self.pace.step(past.reading)
        if self._runs:
            self.pace.round(past.drafting + past.reading, past.gained)
            if plain := self.pace.plain:
                share = past.drafting / self._runs / plain
                self._share += (share - self._share) / MEMORY if self._share else share
        self._runs = 0

    def _caught_up(self) -> Logits:
        """The logits behind the text, once the run holds it and nothing else."""
        if self._agreed is None:
            left = self.run.reuse(self.ids)
        else:
            self.run.rewind(self._agreed)
            left = self.ids[self._agreed :]
        logits = self._read(left)
        self._agreed = len(self.ids)
        return logits

    def _read(self, ids: Sequence[int]) -> Logits:
        """The logits [1, vocab] behind more ids."""
        self._runs += 1
        return self.run.read(ids)[-1:] if len(ids) <= FEW else self.run.append(ids)

    def _choice(self, sampler: Sampler, logits: Logits, drafted: list[int]) -> tuple[int, float]:
        """The id that the text would have by these logits [vocab], and how likely that is by them.

        `vocab_size` where there is none.
        """
        if len(logits) != self.vocab_size:  # filled up to another multiple
            size = min(len(logits), self.vocab_size)
            logits, own = np.full(self.vocab_size, -np.inf, np.float32), logits
            logits[:size] = own[:size]
        if sampler.processors:
            text = np.array(self.ids + drafted, np.int64)
            try:
                for process in sampler.processors:
                    process(logits, text, len(text) - self.prompt)
            except UsageError:  # a form that leaves nothing here, where the text need not come
                return self.vocab_size, 0.0
        best = int(logits.argmax())
        top = logits[best]
        if not np.isfinite(top):
            return self.vocab_size, 0.0
        token = sampler(logits, best)
        return token, float(np.exp(logits[token] - top) / np.exp(logits - top).sum())


@contextmanager
def beside(
    lease: AbstractContextManager[Run], drafter: DraftModel, drafts: AbstractContextManager[Run]
) -> Iterator[Run]:
    """A lease, while which the drafter has a run of its own."""
    with drafts as drafter.run, lease as run:
        yield run
