"""Run a decoder graph over a cache: ids in, logits out. Knows no text and no sampling.

Where it reads sources, the rows of one source follow one another, equally many for each, and share
what is known of it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from satchel.runtime.adapter import Adapter
from satchel.runtime.cache import CHUNK, KVCache, Memory
from satchel.runtime.cancel import Cancel
from satchel.runtime.errors import LimitError
from satchel.runtime.ids import graph_ids
from satchel.runtime.manifest import Manifest
from satchel.runtime.sources import Sources

Logits = NDArray[np.float32]
FEW = 16  # ids at most that are read ahead of a text, with its next


class DecoderSession:
    """A session of a decoder graph and the limits its manifest names.

    `sources` is what it reads, `adapter` what its layers are given.
    """

    def __init__(self, session: Any, manifest: Manifest, sources: Sources | None = None) -> None:
        assert manifest.cache is not None
        self.session = session
        self.manifest = manifest
        self.sources = sources
        self.adapter: Adapter | None = None
        self.geometry = manifest.cache
        self.vocab_size = manifest.vocab_size
        self.context = manifest.context
        self.memory = Memory()

    def reading(self, sources: Sources) -> DecoderSession:
        """The same decoder over other sources."""
        other = copy.copy(self)
        other.sources = sources
        return other

    def adapted(self, adapter: Adapter) -> DecoderSession:
        """The same decoder whose layers are given an adapter."""
        other = copy.copy(self)
        other.adapter = adapter
        return other

    def start(self, batch: int = 1, cancel: Cancel | None = None) -> Run:
        """A new batch of empty texts, a multiple of the sources where there are any."""
        assert self.sources is None or batch % len(self.sources) == 0
        return Run(self, batch, cancel or Cancel())

    @contextmanager
    def lease(self, batch: int = 1, cancel: Cancel | None = None) -> Iterator[Run]:
        """A run as `start` makes it, whose memory serves the next once the context has ended well.

        After an error it does not, since it may hold what is no number.
        """
        run = self.start(batch, cancel)
        yield run
        run.cache.release()

    def logits(self, ids: Sequence[int]) -> Logits:
        """float32 [length, vocab]: at each position, the logits of the next token."""
        run = self.start()
        run.reserve(np.array([len(ids)]))
        pieces = [ids[i : i + CHUNK] for i in range(0, len(ids), CHUNK)]
        return np.concatenate([run.append(piece, every=True).copy() for piece in pieces])


class Run:
    """A batch of texts in progress: their cache, their lengths and, for a single text, its ids."""

    def __init__(self, decoder: DecoderSession, batch: int, cancel: Cancel) -> None:
        self.decoder = decoder
        self.cancel = cancel
        self.cache = KVCache(decoder.geometry, batch, decoder.context, decoder.memory)
        self.lengths = np.zeros(batch, np.int64)
        self.ids: list[int] = []  # what the cache of a single text holds
        self._calls: dict[int, _Call] = {}  # by ids per row, bound to the buffers as they are
        self._logits = np.empty((0, decoder.vocab_size), np.float32)  # of whichever was last

    def prefill(self, prompts: Sequence[Sequence[int]]) -> Logits:
        """Read a first prompt per row; returns the logits after each, [batch, vocab]."""
        assert len(prompts) == len(self.lengths) and not self.lengths.any()
        if len(prompts) == 1:
            return self.append(prompts[0])
        lengths = np.array([len(prompt) for prompt in prompts])
        self.reserve(lengths)
        apart = lengths.max() > CHUNK or self.decoder.geometry.windows
        if apart and self.decoder.sources is None:
            rows = [self._alone(row).append(prompt) for row, prompt in enumerate(prompts)]
            self.lengths = lengths
            return np.concatenate(rows)
        ids = np.zeros((len(prompts), lengths.max()), np.int64)
        for row, prompt in enumerate(prompts):
            ids[row, : len(prompt)] = graph_ids(prompt, self.decoder.vocab_size)
        call = self._for(ids, len(prompts))
        last = np.arange(len(prompts)) * ids.shape[1] + lengths - 1
        return self._read(call, ids, lengths, last)

    def _alone(self, row: int) -> Run:
        """A run of one row, which writes to its part of the cache.

        Long prompts are read so, in pieces: attention over whole ones takes memory by their square, and
        short ones would be filled up to the longest, which a cache of windows has no place for.
        """
        alone = Run(self.decoder, 1, self.cancel)
        alone.cache = self.cache.row(row)
        return alone

    def append(self, tokens: Sequence[int], every: bool = False) -> Logits:
        """Add tokens to a single text; returns the last position's logits [1, vocab], or all."""
        assert len(self.lengths) == 1
        ids = graph_ids(tokens, self.decoder.vocab_size)
        self.reserve(self.lengths + len(ids))
        logits = np.empty((0, self.decoder.vocab_size), np.float32)
        for start in range(0, len(ids), CHUNK):
            piece = ids[None, start : start + CHUNK]
            rows = np.arange(piece.size) if every else np.array([piece.size - 1])
            call = self._for(piece, len(rows))
            logits = self._read(call, piece, self.lengths + piece.size, rows)
            self.ids.extend(piece[0].tolist())
        return logits

    def step(self, tokens: NDArray[np.int64], active: NDArray[np.bool_] | None = None) -> Logits:
        """Add one token per row; rows that are not `active` keep their length. [batch, vocab]"""
        lengths = self.lengths + 1
        self.reserve(lengths)
        logits = self._read(self._bound(1), tokens[:, None], lengths)
        if len(tokens) == 1:
            self.ids.append(int(tokens[0]))
        elif active is not None:
            self.lengths[~active] -= 1
        return logits

    def read(self, tokens: Sequence[int]) -> Logits:
        """Add up to FEW tokens to a single text; returns the logits after each, [count, vocab]."""
        lengths = self.lengths + len(tokens)
        self.reserve(lengths)
        logits = self._read(self._bound(len(tokens)), np.array([tokens], np.int64), lengths)
        self.ids.extend(tokens)
        return logits

    def rewind(self, length: int) -> None:
        """Let a single text end after its first `length` ids."""
        assert length == self.lengths[0] or not length or self.lengths[0] <= self.cache.whole
        del self.ids[length:]
        self.lengths[0] = length

    def reorder(self, rows: NDArray[np.int64], shared: NDArray[np.int64]) -> None:
        """Let row i go on from row rows[i], of which it holds the first `shared[i]` positions already.

        There may be more or fewer rows than before; a source that no row reads any more is let go.
        """
        sources = self.decoder.sources
        if sources is not None:
            read = np.unique(rows // (len(self.lengths) // len(sources)))
            if len(read) < len(sources):
                self.decoder = self.decoder.reading(sources.only(read))
                self._calls.clear()  # bound to the sources before
        if self.cache.reorder(rows, shared, self.lengths):
            self._calls.clear()  # bound to the buffers before
        self.lengths = self.lengths[rows]

    def join(self, other: Run) -> None:
        """Add the single text of another run as the last row; that run stays as it is."""
        length = int(other.lengths[0])
        self.cache.add(other.cache, length)
        self.lengths = np.append(self.lengths, length)
        self._calls.clear()  # bound to the buffers before

    def leave(self, row: int) -> None:
        """Drop a row; the last takes its place."""
        last = len(self.lengths) - 1
        rows = np.arange(last)
        rows[row:][:1] = last
        self.reorder(rows, np.zeros(last, np.int64))

    def held(self) -> list[NDArray[Any]]:
        """The keys and values of a single text, as `KVCache.held` has them: views, until the next ids."""
        return self.cache.held(len(self.ids))

    def hold(self, ids: Sequence[int]) -> list[NDArray[Any]]:
        """Let an empty text be one of these ids, whose keys and values go into the result."""
        assert len(self.lengths) == 1 and not self.ids
        self.reserve(np.array([len(ids)]))
        self.lengths = np.array([len(ids)])
        self.ids = list(ids)
        return self.held()

    def fork(self, cancel: Cancel | None = None) -> Run:
        """A run that goes on from this single text; what either adds the other does not see."""
        other = self.decoder.start(1, cancel)
        for there, here in zip(other.hold(self.ids), self.held(), strict=True):
            there[:] = here
        return other

    def reuse(self, prompt: Sequence[int]) -> Sequence[int]:
        """Roll a single text back to what it shares with `prompt`; returns what is left to append."""
        shared = 0
        for mine, other in zip(self.ids, prompt[:-1], strict=False):  # one must be left to run
            if mine != other:
                break
            shared += 1
        if shared < len(self.ids) > self.cache.whole:
            shared = 0  # what its next ids would see may be gone
        self.rewind(shared)
        return prompt[shared:]

    def reserve(self, lengths: NDArray[np.int64]) -> None:
        """Make room for rows of these lengths; LimitError where one is beyond the context."""
        longest = int(lengths.max())
        if longest > self.decoder.context:
            raise LimitError(
                f"the text has {longest} tokens, the bundle's context is {self.decoder.context}",
                "CONTEXT",
            )
        if self.cache.reserve(longest):
            self._calls.clear()  # bound to the buffers before

    def _read(
        self,
        call: _Call,
        ids: NDArray[np.int64],
        lengths: NDArray[np.int64],
        rows: NDArray[np.int64] | None = None,
    ) -> Logits:
        """Run the graph and advance the texts to `lengths`; the result is the call's own."""
        logits = call(self.cancel, ids, lengths, rows)
        self.lengths = lengths
        return logits

    def _for(self, ids: NDArray[np.int64], rows: int) -> _Call:
        """A binding to read ids [batch, length] with; one id each, as targets begin, is a step."""
        return self._bound(1) if ids.shape[1] == 1 else _Call(self, ids.shape, rows)

    def _bound(self, width: int) -> _Call:
        """The binding for `width` ids per row and the logits after each, kept while buffers stay."""
        if width not in self._calls:
            rows = len(self.lengths) * width
            if len(self._logits) < rows:
                self._logits = np.empty((max(rows, FEW), self.decoder.vocab_size), np.float32)
            shape = (len(self.lengths), width)
            self._calls[width] = _Call(self, shape, rows, self._logits[:rows])
        return self._calls[width]


class _Call:
    """A binding for one shape of ids; calling it mutates the buffers and runs the graph."""

    def __init__(
        self, run: Run, shape: tuple[int, ...], rows: int, logits: Logits | None = None
    ) -> None:
        # Not `run` itself: without a circle what is kept of a text goes with the last who needs it,
        # unswept. Nor what cancels it: a run that is kept serves many generations.
        self.session = run.decoder.session
        self.buffers: dict[str, NDArray[Any]] = {
            "input_ids": np.zeros(shape, np.int64),
            "seqlens_k": np.zeros(shape[0], np.int32),
            "total_sequence_length": np.zeros(1, np.int32),
            "logit_rows": np.arange(rows, dtype=np.int64),
        }
        self.logits = (
            np.empty((rows, run.decoder.vocab_size), np.float32) if logits is None else logits
        )
        self.binding = self.session.io_binding()
        # Views of the arrays above, which must outlive the binding.
        views = {n: ort.OrtValue.ortvalue_from_numpy(array) for n, array in self.buffers.items()}
        for name, value in views.items():
            self.binding.bind_ortvalue_input(name, value)
        output = ort.OrtValue.ortvalue_from_numpy(self.logits)
        self.binding.bind_ortvalue_output("logits", output)
        self.kept = (views, output)
        run.cache.bind(self.binding)
        if run.decoder.sources is not None:
            run.decoder.sources.bind(self.binding)
        if run.decoder.adapter is not None:
            run.decoder.adapter.bind(self.binding)

    def __call__(
        self,
        cancel: Cancel,
        ids: NDArray[np.int64],
        lengths: NDArray[np.int64],
        rows: NDArray[np.int64] | None,
    ) -> Logits:
        """Run for texts that then have these `lengths`; the next call overwrites the result."""
        buffers = self.buffers
        buffers["input_ids"][:] = ids
        buffers["seqlens_k"][:] = lengths - 1
        buffers["total_sequence_length"][0] = lengths.max()
        if rows is not None:
            buffers["logit_rows"][:] = rows
        with cancel.watching("running the decoder"):
            self.session.run_with_iobinding(self.binding, cancel.options)
        return self.logits
