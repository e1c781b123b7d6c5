"""What an app holds of an encoder-decoder model: a source in, a target out."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from typing import Any, overload

import numpy as np
from numpy.typing import NDArray

from satchel.runtime.batch import Generation
from satchel.runtime.bundle import Bundle
from satchel.runtime.cancel import Cancel
from satchel.runtime.decoder_session import DecoderSession, Run
from satchel.runtime.errors import BundleError, UsageError
from satchel.runtime.generation import Prompt, TextModel
from satchel.runtime.ids import caller_ids
from satchel.runtime.languages import Languages
from satchel.runtime.sample_answers import LACKING, SampleAnswer, are_ids, of_target, target_probe
from satchel.runtime.session import open_session
from satchel.runtime.source_graph import SourceEncoder
from satchel.runtime.text import tokenizing
from satchel.runtime.workloads import SOURCE, Workload, some_ids, translating


class Seq2seqModel(TextModel):
    """A loaded encoder-decoder bundle; a prompt is a source. Safe to use from several threads."""

    def __init__(self, bundle: Bundle, threads: int | None = None) -> None:
        super().__init__(bundle)
        assert self.manifest.seq2seq is not None
        self.encoder = SourceEncoder(open_session(bundle, "encoder", threads), self.manifest)
        self.decoder = DecoderSession(open_session(bundle, "decoder", threads), self.manifest)
        self.graphs = {"encoder": self.encoder, "decoder": self.decoder}
        self.prompt_limit = self.manifest.seq2seq.source_context
        self._start = [self.manifest.seq2seq.start]
        self.languages = Languages(self.manifest)

    @property
    def samples(self) -> dict[str, str]:
        return {"decoder": "targets"}

    def workloads(self) -> Iterator[Workload]:
        return translating(self.encoder, self.decoder, self._start[0])

    def sample_answers(self) -> Iterator[SampleAnswer]:
        probe = target_probe(self.manifest)
        source = probe["source"]
        if not are_ids(source, self.manifest.vocab_size):
            raise BundleError(LACKING)
        longer = [*source, *source][: self.encoder.context]  # for company
        return of_target(self.decoder, self.encoder, (source, longer), probe)

    def first_token(self) -> None:
        source = some_ids(self.encoder.vocab_size, (min(SOURCE, self.encoder.context),)).tolist()
        self.decoder.reading(self.encoder([source])).start().append(self._start)

    def encode(self, text: str) -> list[int]:
        """Ids of a source, in the language that the checkpoint takes for granted."""
        return self.encode_source(text)

    def encode_source(
        self, text: str, source_lang: str | None = None, target_lang: str | None = None
    ) -> list[int]:
        """Ids of a source with what tells the model its languages; UsageError for one it lacks."""
        with tokenizing(text, self.prompt_limit):
            return self.languages.encode(self.tokenizer, text, source_lang, target_lang)

    @overload
    def translate(
        self,
        texts: str,
        *,
        source_lang: str | None = None,
        target_lang: str | None = None,
        **options: Any,
    ) -> str: ...

    @overload
    def translate(
        self,
        texts: list[str],
        *,
        source_lang: str | None = None,
        target_lang: str | None = None,
        **options: Any,
    ) -> list[str]: ...

    def translate(
        self,
        texts: str | Sequence[str],
        *,
        source_lang: str | None = None,
        target_lang: str | None = None,
        **options: Any,
    ) -> Any:
        """A text, or a list of them in one batch, in another language.

        Languages are named as the checkpoint names them; without one, its own default is taken. A
        blank text stays blank. `options` are those of `generate`, without n_best.
        """
        many = [texts] if isinstance(texts, str) else texts
        sources = [
            self.encode_source(text, source_lang, target_lang) if text.strip() else []
            for text in many
        ]
        written = iter(self.targets([s for s in sources if s], target_lang, **options))
        translations = [next(written).text if source else "" for source in sources]
        return translations[0] if isinstance(texts, str) else translations

    def targets(
        self, sources: Sequence[Sequence[int]], target_lang: str | None = None, **options: Any
    ) -> list[Generation]:
        """The targets of sources in the ids of `encode_source`, in one batch."""
        if options.get("n_best") is not None:
            raise UsageError("n_best does not apply: a translation is one text; use generate")
        self.languages.require_target(target_lang)
        if not sources:
            return []
        model, forced = self, self.languages.forced_first_token(target_lang)
        if forced is not None:
            given = {name: value for name, value in options.items() if value is not None}
            options = {"forced_bos_token_id": forced, **given}
        start = self.languages.start(target_lang)
        if start is not None:  # another model, which shares all but this
            model = object.__new__(type(self))
            model.__dict__ |= self.__dict__ | {"_start": [start]}
        generations: list[Generation] = model.generate(list(sources), **options)
        return generations

    def logits(self, source: Prompt, target: Prompt) -> NDArray[np.float32]:
        """float32 [1 + length, vocab]: before each token of a target, text or ids, and behind the
        last, the logits of the next."""
        if not isinstance(target, str):
            ids = caller_ids(target, self.manifest.vocab_size)
        else:
            ids = self.encode(target) if target else []
        decoder = self.decoder.reading(self.encoder([self.prompt_ids(source)]))
        return decoder.logits([*self._start, *ids])

    def _before(self, prompt: list[int]) -> list[int]:
        self.encoder.checked(prompt)
        return list(self._start)

    @contextmanager
    def _reading(self, prompts: list[list[int]], cancel: Cancel) -> Iterator[Run]:
        """The sources are read only when the generation begins, and can be cancelled."""
        decoder = self.decoder.reading(self.encoder(prompts, cancel))
        with decoder.lease(len(prompts), cancel) as run:
            yield run

    def _lease(self, prompts: list[list[int]], cancel: Cancel) -> AbstractContextManager[Run]:
        return self._reading(prompts, cancel)
