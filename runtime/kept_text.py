"""A text that stays read: its keys and values in memory, to go on from, to branch, to save and load."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from satchel.runtime import kept_file
from satchel.runtime.cancel import Cancel
from satchel.runtime.decoder_session import DecoderSession, Run
from satchel.runtime.errors import StorageError, UsageError, shown
from satchel.runtime.ids import caller_ids


class KeptText:
    """What a decoder has read of a text. Made by `keep` and `load_kept` of a model.

    With it, `generate` and the like read of a prompt only what follows its ids, and leave in it
    the prompt and what was written. One generation at a time; a fork is a text of its own.

    `messages` is for whoever keeps a conversation: it is saved and loaded along.
    """

    def __init__(self, decoder: DecoderSession) -> None:
        self.decoder = decoder
        self.messages: list[dict[str, str]] = []
        self._run = decoder.start()
        self._taken = threading.Lock()

    def __repr__(self) -> str:
        return f"<KeptText {len(self.ids)} ids>"

    @property
    def ids(self) -> list[int]:
        """The ids that have been read."""
        return list(self._run.ids)

    @contextmanager
    def lease(self, cancel: Cancel, spare: Callable[[], Run] | None = None) -> Iterator[Run]:
        """The run that holds it, for one at a time; where another has it, `spare()` or UsageError."""
        if not self._taken.acquire(blocking=False):
            if spare is None:
                raise UsageError(
                    "the kept text is in use: read its stream to the end, or fork it before"
                )
            yield spare()
            return
        try:
            self._run.cancel = cancel
            yield self._run
        finally:
            self._taken.release()

    def read(self, ids: Sequence[int]) -> None:
        """Read a text's ids, as far as they are not what is held."""
        with self.lease(Cancel()) as run:
            run.append(run.reuse(ids))

    def fork(self) -> KeptText:
        """Another text that begins as this one; what either goes on with the other does not see."""
        other = KeptText(self.decoder)
        other.messages = [dict(message) for message in self.messages]
        with self.lease(Cancel()) as run:
            other._run = run.fork()
        return other

    def save(self, path: str | Path) -> None:
        """Write it to a file, whole or not at all. StorageError where that cannot be done."""
        origin = _origin(self.decoder)
        with self.lease(Cancel()) as run:
            kept_file.write(Path(path), origin, run.ids, run.held(), self.messages)

    @classmethod
    def load(cls, decoder: DecoderSession, path: Path) -> KeptText:
        """The text of a file.

        StorageError for one that is damaged or of another bundle, each in a line that names it.
        """
        kept, origin = kept_file.read(path), _origin(decoder)
        if kept.origin.bundle != origin.bundle:
            raise StorageError(
                f"{shown(path)} was kept with another bundle: {kept.origin}; this one is {origin}",
                kept_file.CODE,
            )
        text = cls(decoder)
        text.messages = kept.messages
        ids = caller_ids(kept.ids, decoder.vocab_size)
        begin = 0
        for array in text._run.hold(ids):
            part = kept.values[begin : begin + array.nbytes]
            begin += array.nbytes
            if len(part) < array.nbytes:
                break
            stored = np.frombuffer(part, array.dtype.newbyteorder("<"))
            array[:] = stored.reshape(array.shape)
        if begin != len(kept.values):
            raise StorageError(
                f"{shown(path)} was kept by another version of satchel: let the text be read anew",
                kept_file.CODE,
            )
        return text


def _origin(decoder: DecoderSession) -> kept_file.Origin:
    adapter = decoder.adapter
    return kept_file.Origin.of(decoder.manifest, None if adapter is None else adapter.digest)


def check_kept(kept: Any, model: Any) -> None:
    """UsageError unless it is a kept text of this model."""
    if not isinstance(kept, KeptText):
        raise UsageError(f"kept is a {type(kept).__name__}; expected what model.keep() makes")
    if getattr(model, "decoder", None) is not kept.decoder:
        raise UsageError(
            "the kept text is of another model: make it by `keep` of this one, or save it and load it"
        )
