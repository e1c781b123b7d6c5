"""GPT-BigCode, as SantaCoder and StarCoder (Ben Allal et al., 2023): GPT-2 with one key and value for all
queries."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import gpt2, weights


@dataclass(frozen=True, kw_only=True)
class Config(gpt2.Config):
    """config.json of model_type gpt_bigcode."""

    cosmetic: ClassVar[frozenset[str]] = gpt2.Config.cosmetic | {
        "num_key_value_heads",  # follows from multi_query
        "attention_softmax_in_fp32",  # as it is here
        "scale_attention_softmax_in_fp32",
    }

    hidden_act: str = "gelu_pytorch_tanh"
    multi_query: bool = True

    @property
    def kv_heads(self) -> int:
        return 1 if self.multi_query else self.num_attention_heads


class Model(gpt2.Model):
    """GPT-BigCode."""

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: Any) -> dict[str, LazyTensor]:
        named = weights.rename(tensors, gpt2.RENAMED)
        return weights.by_role(named, config.kv_heads, config.head_size)
