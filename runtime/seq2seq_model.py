"""What an app holds of an encoder-decoder model: a source in, a target out."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager

import numpy as np
from numpy.typing import NDArray

from satchel.runtime.bundle import Bundle
from satchel.runtime.decoder import Cancel, Decoder, Run
from satchel.runtime.generation import Prompt, TextModel, checked_ids
from satchel.runtime.session import open_session
from satchel.runtime.source import SourceEncoder


class Seq2seqModel(TextModel):
    """A loaded encoder-decoder bundle; a prompt is a source. Safe to use from several threads."""

    def __init__(self, bundle: Bundle, threads: int | None = None) -> None:
        super().__init__(bundle)
        assert self.manifest.seq2seq is not None
        self.encoder = SourceEncoder(open_session(bundle, "encoder", threads), self.manifest)
        self.decoder = Decoder(open_session(bundle, "decoder", threads), self.manifest)
        self.prompt_limit = self.manifest.seq2seq.source_context
        self._start = [self.manifest.seq2seq.start]

    def logits(self, source: Prompt, target: Prompt) -> NDArray[np.float32]:
        """float32 [1 + length, vocab]: before each token of a target, text or ids, and behind the
        last, the logits of the next."""
        if not isinstance(target, str):
            ids = checked_ids(target, self.manifest.vocab_size)
        else:
            ids = self.encode(target) if target else []
        decoder = self.decoder.reading(self.encoder([self._ids(source)]))
        return decoder.logits([*self._start, *ids])

    def _before(self, prompt: list[int]) -> list[int]:
        self.encoder.checked(prompt)
        return list(self._start)

    @contextmanager
    def _reading(self, prompts: list[list[int]], cancel: Cancel) -> Iterator[Run]:
        """The sources are read only when the generation begins, and can be cancelled."""
        decoder = self.decoder.reading(self.encoder(prompts, cancel))
        yield decoder.start(len(prompts), cancel)

    def _lease(self, prompts: list[list[int]], cancel: Cancel) -> AbstractContextManager[Run]:
        return self._reading(prompts, cancel)
