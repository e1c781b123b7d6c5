"""Beam search (Graves, 2012) over a batch of texts, equal to that of transformers. Knows no text.

A score is the sum of a text's log-probabilities, its end included, over its length to the power of the
length penalty.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from satchel.runtime.cancel import Cancelled
from satchel.runtime.decoder_session import Logits, Run
from satchel.runtime.greatest import places_of_greatest
from satchel.runtime.options import Options
from satchel.runtime.processors import RELATIVE, Ids, Processor, Scores
from satchel.runtime.sample import not_finite

BLOCK = 64  # ids whose best is looked at before they are


@dataclass(frozen=True)
class Hypothesis:
    """A text that was found: its new ids without the end of text, and its score."""

    tokens: list[int]
    score: float
    finish_reason: str


@dataclass
class Search:
    """One text to be continued, and what was found: at most `num_beams`, the best first."""

    prompt: Sequence[int]
    processors: Sequence[Processor]
    limit: int  # new tokens at most
    found: list[Hypothesis] = field(default_factory=list)

    @cached_property
    def absolute(self) -> bool:
        """Whether processors must see log-probabilities, for which logits do not serve."""
        return not all(isinstance(process, RELATIVE) for process in self.processors)


def beam_search(run: Run, searches: Sequence[Search], options: Options, eos: Sequence[int]) -> None:
    """Fill `found` of the searches; `run` is new and has a row for each.

    Fewer than `num_beams` are found only where the options leave no more. Raises SatchelError where
    they leave none.
    """
    beams = _Beams(searches, options, eos)
    try:
        if beams.open:
            logits = run.prefill([search.prompt for search in searches])
            beams.advance(logits)
        while beams.open:
            run.reorder(beams.rows, beams.shared)
            logits = run.step(beams.texts[:, -1])
            beams.advance(logits)
    except Cancelled:
        beams.give_up()
    for search in searches:
        if not search.found:
            raise not_finite(-np.inf)


class _Beams:
    """The beams of the searches that are open.

    Rows are those of the run: the beams of a source follow one another, in no order of their scores.
    """

    def __init__(self, searches: Sequence[Search], options: Options, eos: Sequence[int]) -> None:
        self.options = options
        self.beams = options.num_beams
        self.eos = np.array(eos, np.int64)
        self.kept = max(2, 1 + len(eos)) * self.beams  # so that enough go on, whichever end
        self.new = 0
        self.open = list(searches)
        if searches[0].limit < 1:
            self.open = []
            for search in searches:
                search.found.append(Hypothesis([], 0.0, "length"))
        # Texts are aligned at their ends; [rows, length]. The first step has one row per source.
        self.start = max(len(search.prompt) for search in searches)
        self.texts = np.zeros((len(searches), self.start), np.int64)
        for row, search in zip(self.texts, searches, strict=True):
            row[self.start - len(search.prompt) :] = search.prompt
        self.scores = np.zeros((len(searches), 1), np.float32)  # [sources, beams]
        self.rows = np.arange(len(searches))  # of the run before, that the beams continue
        self.shared = np.zeros(
            len(searches), np.int64
        )  # positions that a row has in common with it

    def advance(self, logits: Logits) -> None:
        """Choose the next id of every beam; `logits` [rows, vocab] are changed."""
        scores, parents, ids = self._candidates(logits)
        self.new += 1
        ended = np.isin(ids, self.eos)
        self._finish(scores, parents, ids, ended)
        going = np.where(ended, np.float32(-np.inf), scores)
        order = np.argsort(-going, axis=1, kind="stable")[:, : self.beams]
        chosen = np.take_along_axis(parents, order, 1)
        order = np.stack([order[i][placed(row)] for i, row in enumerate(chosen)])
        going, parents, ids = (np.take_along_axis(a, order, 1) for a in (going, parents, ids))
        best = going.max(1)
        still = np.array([self._improves(*pair) for pair in zip(self.open, best, strict=True)])
        self._move(parents, ids, still)
        self.scores = going[still]
        self.open = [search for search, stays in zip(self.open, still, strict=True) if stays]

    def give_up(self) -> None:
        """Count the beams as found where they are."""
        width = self.scores.shape[1]
        for place, search in enumerate(self.open):
            for beam, score in enumerate(self.scores[place]):
                tokens = self._tokens(place * width + beam)
                if np.isfinite(score):
                    self._add(search, tokens, score, max(self.new, 1), "cancelled")

    def _candidates(
        self, logits: Logits
    ) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
        # A score is that of the beam and the id's log-probability: its logit less the normaliser.
        width = self.scores.shape[1]
        shifts = self.scores.copy()
        peaks = np.empty((len(logits), block_count(logits.shape[1], self.kept)), np.float32)
        for place, row in enumerate(logits):  # a row at a time stays in the processor's cache
            source, beam = divmod(place, width)
            search = self.open[source]
            normaliser = log_normaliser(row)
            if search.absolute:
                row -= normaliser
            else:
                shifts[source, beam] -= normaliser
            text = self.texts[place, self.start - len(search.prompt) :]
            for process in search.processors:
                process(row, text, self.new)
            block_peaks(row, peaks[place])
        return top_continuations(logits, peaks, shifts, self.kept)

    def _finish(
        self,
        scores: NDArray[np.float32],
        parents: NDArray[np.int64],
        ids: NDArray[np.int64],
        ended: NDArray[np.bool_],
    ) -> None:
        """Take up the texts that end here, among the best `beams` of a source."""
        width = self.scores.shape[1]
        last = np.array([self.new >= search.limit for search in self.open])
        done = (ended | last[:, None]) & np.isfinite(scores)
        for place, rank in np.argwhere(done[:, : self.beams]):
            tokens = self._tokens(place * width + parents[place, rank])
            reason = "eos" if ended[place, rank] else "length"
            if reason == "length":
                tokens.append(int(ids[place, rank]))
            self._add(self.open[place], tokens, scores[place, rank], self.new, reason)

    def _add(
        self, search: Search, tokens: list[int], score: np.float32, length: int, reason: str
    ) -> None:
        score = score / np.float32(length**self.options.length_penalty)
        search.found.append(Hypothesis(tokens, float(score), reason))
        search.found.sort(key=lambda hypothesis: -hypothesis.score)
        del search.found[self.beams :]

    def _improves(self, search: Search, best: np.float32) -> bool:
        """Whether to go on with a source whose best beam has this score."""
        if self.new >= search.limit or best == -np.inf:
            return False
        if len(search.found) < self.beams:
            return True
        if self.options.early_stopping is True:
            return False
        penalty = self.options.length_penalty
        # "never" stops only where no length to come could help.
        longest = self.options.early_stopping == "never" and penalty > 0
        length = search.limit if longest else self.new
        return bool(best / np.float32(length**penalty) > search.found[-1].score)

    def _move(self, parents: Ids, ids: Ids, still: NDArray[np.bool_]) -> None:
        """Let the rows be those of `parents` [sources, beams] with `ids`, where `still` open."""
        width = self.scores.shape[1]
        sources = np.arange(len(parents))[:, None]
        self.rows = (parents + sources * width)[still].ravel()
        self.shared = np.zeros(len(self.rows), np.int64)
        if width == self.beams:
            places = np.arange(len(self.rows))
            moved = np.flatnonzero((self.rows != places) & (self.rows // width == places // width))
            prompts = np.array([len(search.prompt) for search in self.open])
            common = common_length(
                self.texts[moved, self.start :], self.texts[self.rows[moved], self.start :]
            )
            self.shared[moved] = prompts[moved // width] + common
        self.texts = np.concatenate([self.texts[self.rows], ids[still].reshape(-1, 1)], axis=1)

    def _tokens(self, row: int) -> list[int]:
        tokens: list[int] = self.texts[row, self.start :].tolist()
        return tokens


def log_normaliser(row: Scores) -> np.float32:
    """What logits [vocab] exceed their log-probabilities by. Raises where they are not finite."""
    best = row.max()
    if not np.isfinite(best):
        raise not_finite(best)
    weights = row - best
    return np.float32(best + np.log(np.exp(weights, out=weights).sum()))


def block_count(vocab: int, count: int) -> int:
    """Into how many blocks the ids fall, where the best `count` are wanted."""
    return max(vocab // BLOCK, min(vocab, count))


def block_peaks(row: Scores, peaks: Scores) -> None:
    """Write the best score [vocab] of each block to `peaks` [blocks].

    Ids that are equal modulo `blocks` make up a block, so that peaks are maxima over long rows.
    """
    whole = len(row) // len(peaks) * len(peaks)
    row[:whole].reshape(-1, len(peaks)).max(0, out=peaks)
    rest = row[whole:]
    np.maximum(peaks[: len(rest)], rest, out=peaks[: len(rest)])


def top_continuations(
    logits: Logits, peaks: Logits, shifts: Scores, count: int
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    """The best `count` of each source's beams and their next ids: (scores, beams, ids), best first; of
    equal ones that of the first beam, then the lowest id.

    `logits` is [sources * beams, vocab], `peaks` [sources * beams, blocks]; `shifts` [sources, beams]
    make scores of them. Results are [sources, count], or fewer.
    """
    (sources, beams), vocab, blocks = shifts.shape, logits.shape[1], peaks.shape[1]
    count = min(count, beams * vocab)
    peaks = (peaks.reshape(sources, beams, blocks) + shifts[:, :, None]).reshape(sources, -1)
    # Exact: among the best `count` ids, only those of the `count` blocks with the best peaks can be.
    beam, block = np.divmod(places_of_greatest(peaks, count), blocks)  # [sources, count]

    ids = block[:, :, None] + np.arange(0, vocab, blocks)  # [sources, count, ids of a block]
    beyond = ids >= vocab
    # An id all the same: where few scores are finite, it can be among the best.
    ids[beyond] = vocab - 1
    rows = beam + np.arange(sources)[:, None] * beams
    values = logits[rows[:, :, None], ids]
    values += np.take_along_axis(shifts, beam, 1)[:, :, None]
    values[beyond] = -np.inf
    ids, values = ids.reshape(sources, -1), values.reshape(sources, -1)
    best = places_of_greatest(values, count)
    beam = np.take_along_axis(beam, best // (ids.shape[1] // count), 1)
    values, ids = (np.take_along_axis(array, best, 1) for array in (values, ids))
    order = np.lexsort((ids, beam, -values), axis=1)
    values, beam, ids = (np.take_along_axis(array, order, 1) for array in (values, beam, ids))
    return values, beam, ids


def placed(parents: NDArray[np.int64]) -> NDArray[np.int64]:
    """An order of a source's beams in which a parent's first child takes its parent's place.

    So nothing is copied for it, and no row is overwritten that another one continues.
    """
    order = np.full(len(parents), -1)
    others = []
    for child, parent in enumerate(parents.tolist()):
        if order[parent] < 0:
            order[parent] = child
        else:
            others.append(child)
    order[order < 0] = others
    return order


def common_length(first: Ids, second: Ids) -> Ids:
    """How many leading ids the rows of two arrays [rows, length] have in common."""
    differ = first != second
    return np.where(differ.any(1), differ.argmax(1), first.shape[1])
