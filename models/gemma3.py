"""Gemma 3 from the files that read images too (Gemma Team, 2025): its language model alone."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import gemma3_text, llama, text_part
from satchel.models.config import DecoderConfig


@dataclass(frozen=True, kw_only=True)
class Config(text_part.OuterConfig):
    """config.json of model_type gemma3."""

    cosmetic: ClassVar[frozenset[str]] = text_part.around_texts("gemma3")
    texts: ClassVar[dict[str, type[DecoderConfig]]] = {"gemma3_text": gemma3_text.Config}
    defaults: ClassVar[dict[str, Any]] = {
        "vocab_size": 262208,
        "hidden_size": 2304,
        "intermediate_size": 9216,
        "num_hidden_layers": 26,
        "num_attention_heads": 8,
    }

    @classmethod
    def from_dict(cls, raw: dict[str, Any], ignored_keys: Collection[str] = ()) -> Any:
        # The class that reads images caps no logits, whatever text_config says.
        config = super().from_dict(raw, ignored_keys)
        return replace(config, final_logit_softcapping=None)


class Model(gemma3_text.Model):
    """Gemma 3."""

    notes = text_part.LEFT_OUT

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: llama.Config) -> dict[str, LazyTensor]:
        return gemma3_text.Model.sanitize(text_part.text_weights(tensors), config)
