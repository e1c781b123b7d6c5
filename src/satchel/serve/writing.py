"""Texts being written for one request: from options to pieces as they come. Knows no wire format."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from satchel.runtime.grammar import Grammar
from satchel.runtime.processors import Ids, Scores
from satchel.runtime.row import Row
from satchel.runtime.text import TextStream
from satchel.serve.scheduler import Job, Written
from satchel.serve.shelf import Loaded


@dataclass(frozen=True)
class Wanted:
    """How a prompt is to go on. `options` are those of the runtime, by name."""

    options: dict[str, Any] = field(default_factory=dict)
    max_new_tokens: int | None = None  # None: the bundle's own bound
    stop: Sequence[str] | None = None
    texts: int = 1
    alternatives: int | None = (
        None  # how many likely ids are told beside each; None: no probabilities
    )
    presence: float = 0.0
    frequency: float = 0.0
    grammar: Grammar | None = None
    shown: Mapping[int, str] = field(default_factory=dict)  # special tokens that are text


@dataclass(frozen=True)
class Piece:
    """What has become certain of text `number`; `finish_reason` is None until its last piece."""

    number: int
    text: str
    row: Row
    start: int  # of its new tokens in those of the row
    end: int
    finish_reason: str | None


class Writing:
    """The pieces of all texts of one request, as they come. `cancel` it, or read it to its end.

    Made in a running event loop. Raises SatchelError for what makes no sense, or where too many wait.
    """

    def __init__(self, loaded: Loaded, prompt: list[int], wanted: Wanted) -> None:
        self.loaded, self.wanted = loaded, wanted
        self.prompt_tokens = len(prompt)
        self._loop = asyncio.get_running_loop()
        self._pieces: asyncio.Queue[Piece] = asyncio.Queue()
        self._texts = [self._text(prompt, number) for number in range(wanted.texts)]
        self.rows = [text.row for text in self._texts]
        self._job = Job(self.rows[0].prompt, self._texts, self._listen)
        assert loaded.scheduler is not None
        loaded.scheduler.submit(self._job)

    @property
    def completion_tokens(self) -> int:
        """Ids written so far."""
        return sum(len(row.tokens) for row in self.rows)

    @property
    def reused_tokens(self) -> int:
        """Ids of the prompt that had been read for somebody else."""
        return self._job.reused

    def cancel(self) -> None:
        """End all texts within a step."""
        self._job.cancel()

    async def pieces(self) -> AsyncIterator[Piece]:
        """Every piece. Raises what ended a text before its time."""
        left = len(self.rows)
        try:
            while left:
                piece = await self._pieces.get()
                if piece.row.error is not None and piece.finish_reason == "error":
                    raise piece.row.error
                left -= piece.finish_reason is not None
                yield piece
        finally:
            self.cancel()

    async def whole(self) -> list[tuple[str, Row, str]]:
        """Of each text, once all have ended: the text, its row and the reason it ended for."""
        texts, reasons = [""] * len(self.rows), [""] * len(self.rows)
        async for piece in self.pieces():
            texts[piece.number] += piece.text
            reasons[piece.number] = piece.finish_reason or ""
        return list(zip(texts, self.rows, reasons, strict=True))

    def _listen(self, number: int, text: str, tokens: list[int]) -> None:
        row, end = self.rows[number], self._texts[number].told
        piece = Piece(number, text, row, end - len(tokens), end, row.finish_reason)
        self._loop.call_soon_threadsafe(self._pieces.put_nowait, piece)

    def _text(self, prompt: list[int], number: int) -> Written:
        """One text; those after the first draw by seeds of their own."""
        wanted = self.wanted
        options = dict(wanted.options)
        if number and options.get("seed") is not None:
            options["seed"] += number
        bound = ... if wanted.max_new_tokens is None else wanted.max_new_tokens
        asked = self.loaded.model.streamable(options, bound, wanted.stop, wanted.grammar)
        row: Row = self.loaded.model.row(prompt, asked)
        if wanted.presence or wanted.frequency:
            # Before the form, after which no id may gain or lose.
            row.sampler.processors.insert(0, Penalties(wanted.presence, wanted.frequency))
        if wanted.alternatives is not None:
            row.logprobs, row.top = [], wanted.alternatives
        stream = TextStream(self.loaded.model.tokenizer, asked.stop, wanted.shown)
        return Written(row, stream)


@dataclass(frozen=True)
class Penalties:
    """OpenAI's two: off the scores of ids that were written, once, and as often as they were."""

    presence: float
    frequency: float

    def __call__(self, scores: Scores, text: Ids, new: int) -> None:
        if new:
            ids, counts = np.unique(text[len(text) - new :], return_counts=True)
            scores[ids] -= np.float32(self.presence) + np.float32(self.frequency) * counts.astype(
                np.float32
            )
