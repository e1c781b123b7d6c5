"""What a family tells `packing`: its graphs, its part of the manifest, and its proof."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from torch import nn

from satchel.checkpoints.checkpoint import Checkpoint
from satchel.export.check import Check
from satchel.export.generation_config import recommended
from satchel.measure import fidelity
from satchel.packing.own_texts import unfamiliar
from satchel.progress import Stage
from satchel.quantize.prepare import Readers
from satchel.runtime.bundle import Bundle
from satchel.runtime.errors import UnsupportedError, UsageError, shown
from satchel.runtime.manifest import Port
from satchel.tokenization.tokenizer import bundle_tokenizer, more_ends, special_tokens


@dataclass(frozen=True)
class ExportOptions:
    """What the user asked of an export that depends on the family.

    `calibration` are the texts that scales are fixed by, and `quality_text` those that the bundle is
    measured on; where they are None, it is those of the package. `images` are files for both.
    """

    context: int | None = None
    task: str | None = None
    ignored_keys: Collection[str] = ()
    calibration: Sequence[str] | None = None
    quality_text: Sequence[str] | None = None
    images: Sequence[Path] | None = None

    @property
    def texts(self) -> Sequence[str]:
        """What to calibrate on."""
        return fidelity.calibration() if self.calibration is None else self.calibration

    @property
    def judged(self) -> str:
        """The whole of the text to measure on."""
        own = self.quality_text
        return fidelity.shipped_text() if own is None else "\n".join(own)

    def sentences(self, count: int) -> list[str]:
        """At most so many texts to measure on, spread over those of the user."""
        own = self.quality_text
        if own is None:
            return fidelity.sentences(count)
        count = min(count, len(own))
        return [own[index * len(own) // count] for index in range(count)]

    def remarks(self, tokenizer: bytes) -> list[str]:
        """What to say where the shipped text is none for that tokenizer."""
        if self.quality_text is not None:
            return []
        remark = unfamiliar(tokenizer, fidelity.sentences(100))
        return [] if remark is None else [remark]

    def only_for(self, task: str, model: str) -> None:
        """Raise where another task was asked of a model that has but this one."""
        if self.task not in (None, task):
            raise UsageError(f"--task {shown(self.task)} does not fit {model}; use {task}")

    def no_texts(self, reads: str) -> None:
        """Raise where texts were given to a model that reads something else."""
        given = {"--calibration": self.calibration, "--quality-text": self.quality_text}
        for option, texts in given.items():
            if texts is not None:
                raise UsageError(f"{option} is a file of texts; this model reads {reads}")


@dataclass(frozen=True)
class Traceable:
    """A module that becomes a graph, and the graph's signature."""

    module: nn.Module
    inputs: list[Port]
    outputs: list[Port]


def writing(
    checkpoint: Checkpoint, vocab_size: int, asked: Mapping[str, str]
) -> tuple[bytes, dict[str, Any], list[str]]:
    """What a model that writes has beside its weights: its tokenizer, the options of generation that its
    author recommends, and remarks. `asked` are those not followed unasked, and why."""
    tokenizer = bundle_tokenizer(checkpoint, vocab_size)
    generation, remarks = recommended(checkpoint, vocab_size, asked)
    ends = more_ends(checkpoint, special_tokens(checkpoint, tokenizer, vocab_size))
    return tokenizer, generation, remarks + ends


def check_length(tokens: Sequence[int], least: int) -> None:
    """Refuse a tokenizer that makes fewer tokens of a shipped text than a check needs."""
    if len(tokens) < least:
        raise UnsupportedError("the tokenizer makes almost no tokens of the text to measure on")


class Recipe(Readers, Protocol):
    """How a family is packed."""

    @property
    def graphs(self) -> dict[str, Traceable]:
        """By role, what becomes ``role.onnx``."""

    @property
    def tokenizer(self) -> bytes | None:
        """Content of tokenizer.json; None for models that read no text."""

    def facts(self) -> dict[str, Any]:
        """The family's fields of the manifest."""

    def exact_checks(self, bundle: Bundle) -> list[Check]:
        """The float32 graphs against the reference model."""

    def prove(
        self, bundle: Bundle, exact: bool, stage: Stage
    ) -> tuple[list[Check], dict[str, Any]]:
        """Checks of the written graphs, and the manifest's figures; `exact` where it is float32."""
