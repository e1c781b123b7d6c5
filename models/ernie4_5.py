"""ERNIE 4.5 (Baidu, 2025), without experts: LLaMA that turns neighbouring channels together."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, ClassVar

from satchel.models import helium, llama

Model = helium.Model


@dataclass(frozen=True, kw_only=True)
class Config(llama.Config):
    """config.json of model_type ernie4_5."""

    KEYS: ClassVar[dict[str, tuple[str, ...]]] = {"attention_bias": ("use_bias",), "mlp_bias": ()}

    num_key_value_heads: int | None = 2
    head_dim: int | None = 128
    max_position_embeddings: int = 131072
    rms_norm_eps: float = 1e-5
    rope_theta: float = 500000.0
    tie_word_embeddings: bool = True

    @classmethod
    def values(cls, raw: dict[str, Any], ignored_keys: Collection[str] = ()) -> dict[str, Any]:
        values = super().values(raw, ignored_keys)
        return values | {"mlp_bias": values.get("attention_bias", False)}
