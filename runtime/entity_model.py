"""What an app holds: a loaded bundle that finds spans of a text by labels of the asker's own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, overload

import numpy as np

from satchel.runtime.bundle import TOKENIZER, Bundle
from satchel.runtime.encoder_session import EncoderSession
from satchel.runtime.entity_texts import EntityTexts, Limits, found
from satchel.runtime.errors import BundleError, UsageError, shown
from satchel.runtime.items import listed
from satchel.runtime.manifest import LABELS, WORDS
from satchel.runtime.sample_answers import LACKING, SampleAnswer, of_encoder
from satchel.runtime.session import open_session
from satchel.runtime.spans import Span
from satchel.runtime.task_model import TaskModel, for_its_task
from satchel.runtime.text import load_tokenizer
from satchel.runtime.workloads import Workload, encoding, some_ids

TIMED = (16, 128, 512)  # tokens


class EntityModel(TaskModel):
    """A loaded bundle for entities, GLiNER. Safe to use from several threads."""

    writes = False

    def __init__(self, bundle: Bundle, threads: int | None = None) -> None:
        super().__init__(bundle)
        manifest = self.manifest
        assert manifest.text is not None and manifest.entities is not None
        self.tokenizer = load_tokenizer(bundle.path(TOKENIZER))
        self.reader = EntityTexts(self.tokenizer, manifest.entities, manifest.text.max_length)
        session = open_session(bundle, "encoder", threads)
        self.encoder = EncoderSession(session, manifest.graphs["encoder"], manifest.vocab_size)
        self.graphs: Mapping[str, EncoderSession] = {"encoder": self.encoder}

    @property
    def samples(self) -> dict[str, str]:
        return {"encoder": "texts with labels"}

    def workloads(self) -> Iterator[Workload]:
        inputs = {}
        for length in TIMED:
            if length <= self.manifest.context:
                ids = some_ids(self.manifest.vocab_size, (1, length))
                words, labels = np.arange(length // 4, length), np.arange(1, 5)
                places = {WORDS: words[None], LABELS: labels[None]}
                inputs[f"1x{length}"] = {"input_ids": ids, **places}
        yield from encoding("encoder", self.encoder, "texts", inputs)

    def sample_answers(self) -> Iterator[SampleAnswer]:
        probe: Any = self.manifest.probe.get("encoder")
        match probe:
            case {"text": str(text), "labels": [*labels]}:
                asked = self.reader.asked(text, labels)
                if asked is not None:
                    yield from of_encoder("encoder", self.encoder, asked.inputs, None, probe)
                    return
        raise BundleError(LACKING)

    @overload
    def entities(
        self,
        texts: str,
        labels: Sequence[str],
        *,
        threshold: float = 0.5,
        flat: bool = True,
        multi_label: bool = False,
    ) -> list[Span]: ...

    @overload
    def entities(
        self,
        texts: list[str],
        labels: Sequence[str],
        *,
        threshold: float = 0.5,
        flat: bool = True,
        multi_label: bool = False,
    ) -> list[list[Span]]: ...

    @for_its_task
    def entities(
        self,
        texts: Any,
        labels: Sequence[str],
        *,
        threshold: float = 0.5,
        flat: bool = True,
        multi_label: bool = False,
    ) -> Any:
        """Spans of a text that fit one of `labels`, by their places, or a list of them for each text.

        Those likelier than `threshold` are found; of those that overlap the likeliest. Without `flat`,
        one may lie within another; with `multi_label`, one may have several labels. What is too long is
        cut, with a warning.
        """
        single, items = isinstance(texts, str), listed("texts", texts)
        names = list(dict.fromkeys(_checked(labels)))
        numeric = isinstance(threshold, int | float) and not isinstance(threshold, bool)
        if not numeric or not 0 <= threshold <= 1:
            raise UsageError(f"threshold = {shown(threshold)}; expected 0 to 1")
        spans: list[list[Span]] = []
        for text in items:
            asked = self.reader.asked(text, names)
            if asked is None:
                spans.append([])
                continue
            logits = self.encoder(asked.inputs)[0]
            limits = Limits(threshold, flat, multi_label)
            spans.append(found(text, asked.words, logits, names, limits))
        return spans[0] if single else spans


def _checked(labels: Any) -> list[str]:
    """Labels that can be looked for."""
    if isinstance(labels, str):
        raise UsageError("labels are one text; expected a list of them")
    names = listed("labels", labels)
    wrong = [name for name in names if not isinstance(name, str) or not name.strip()]
    if wrong or not names:
        raise UsageError(
            f"labels = {shown(names)}; expected texts, at least one, none of them empty"
        )
    return names
