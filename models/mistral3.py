"""Mistral Small 3 and Ministral 3 from the files that read images too (Mistral AI, 2025): the language
model alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import llama, ministral, ministral3, mistral, text_part
from satchel.models.config import DecoderConfig


@dataclass(frozen=True, kw_only=True)
class Config(text_part.OuterConfig):
    """config.json of model_type mistral3."""

    cosmetic: ClassVar[frozenset[str]] = text_part.around_texts("mistral3")
    texts: ClassVar[dict[str, type[DecoderConfig]]] = {
        "mistral": mistral.Config,
        "ministral3": ministral3.Config,
        "ministral": ministral.Config,
    }


class Model(ministral3.Model):
    """Mistral, or Ministral 3."""

    notes = text_part.LEFT_OUT

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: llama.Config) -> dict[str, LazyTensor]:
        return ministral3.Model.sanitize(text_part.text_weights(tensors), config)
