"""Rows being generated and their text, whole or piece by piece. Knows no options and no choosing."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from threading import RLock
from types import MappingProxyType

from tokenizers import Tokenizer

from satchel.runtime.cancel import Cancel, Cancelled
from satchel.runtime.decoder_session import Run
from satchel.runtime.errors import UsageError
from satchel.runtime.generation_loop import generate
from satchel.runtime.row import Row
from satchel.runtime.text import TextStream, decoded
from satchel.runtime.tool_formats import ToolCall


@dataclass(frozen=True)
class Generation:
    """One finished text."""

    text: str  # without special tokens and a stop string
    tokens: list[int]  # the new ids, without the end-of-text id
    finish_reason: str  # "eos", "stop" (a stop string), "length" or "cancelled"
    # The model's own log-probabilities of the tokens, before any sampling option; a stream and a beam
    # search leave them out.
    logprobs: list[float]
    prompt_tokens: int
    score: float | None = None  # of a beam search, by which the best is chosen
    # Tokens that were read ahead, each of them a step saved: looked up in the prompt or the text itself,
    looked_up: int = 0
    drafted: int = 0  # or written by a draft model, which
    draft_tried: int = 0  # wrote so many to be read ahead,
    forced: int = 0  # or all that a form left
    tool_calls: list[ToolCall] = field(
        default_factory=list
    )  # of a chat with tools; `text` is what is said beside


class Stream:
    """Pieces of text as they are generated: iterate once; read and `cancel` from any thread.

    Each piece goes to one reader, and the end to all of them.

    `result` is the Generation once the iteration has ended.
    """

    def __init__(self, batch: Batch) -> None:
        self._batch = batch
        self._source = iter(batch)
        self._pieces = (piece for _, piece in self._source)
        self._reading = RLock()  # a generator runs in one thread at a time

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        with self._reading:
            return next(self._pieces)

    def __repr__(self) -> str:
        state = self._batch.rows[0].finish_reason or "unfinished"
        return f"<Stream {len(self._batch.rows[0].tokens)} tokens, {state}>"

    def cancel(self) -> None:
        """End the generation within a step; `result.finish_reason` is then "cancelled"."""
        self._batch.cancel.cancel()

    def close(self) -> None:
        """Give up a stream that will not be read to its end, and what it holds."""
        with self._reading:
            self._pieces.close()
            self._source.close()

    @property
    def result(self) -> Generation:
        """The finished generation."""
        return self._batch.results()[0]


class Batch:
    """Rows being generated, and their text. Iterates over (row, piece of text)."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        eos: Sequence[int],
        rows: list[Row],
        stop: Sequence[str],
        cancel: Cancel,
        lease: AbstractContextManager[Run],
        shown: Mapping[int, str] = MappingProxyType({}),
    ) -> None:
        self.tokenizer, self.eos = tokenizer, eos
        self.rows, self.cancel, self.lease = rows, cancel, lease
        self.stop, self.shown = stop, shown
        self.texts = [""] * len(rows)

    def run(self) -> None:
        """Generate all of it; without stop strings, texts need no look before their ends."""
        if self.stop:
            for _ in self:
                pass
            return
        for _ in self._chosen():
            pass
        self.texts = [decoded(self.tokenizer, row.tokens) for row in self.rows]

    def __iter__(self) -> Generator[tuple[int, str]]:
        streams = [TextStream(self.tokenizer, self.stop, self.shown) for _ in self.rows]
        for index, token in self._chosen():
            stream = streams[index]
            piece = stream.add(token)
            if stream.stopped:
                self.rows[index].finish_reason = "stop"
            if piece:
                self.texts[index] += piece
                yield index, piece
        for index, stream in enumerate(streams):
            if rest := stream.close():
                self.texts[index] += rest
                yield index, rest
            if stream.stopped:
                self.rows[index].finish_reason = "stop"

    def _chosen(self) -> Iterator[tuple[int, int]]:
        try:
            with self.lease as run:
                yield from generate(run, self.rows, self.eos)
        except Cancelled:  # before the first token: `generate` minds the rest
            for row in self.rows:
                row.finish_reason = "cancelled"

    def results(self) -> list[Generation]:
        """The finished generations, in the order of the prompts."""
        if any(row.finish_reason is None for row in self.rows):
            raise UsageError("the text is still being generated: iterate to its end first")
        return [
            Generation(
                text,
                list(row.tokens),
                row.finish_reason or "",
                list(row.logprobs or []),
                row.prompt_tokens,
                looked_up=row.ahead["looked_up"],
                drafted=row.ahead["drafted"],
                draft_tried=row.tried["drafted"],
                forced=row.ahead["forced"],
            )
            for text, row in zip(self.texts, self.rows, strict=True)
        ]
