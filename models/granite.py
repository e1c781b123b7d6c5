"""Granite (IBM, 2024): LLaMA with multipliers of embeddings, scores, branches and logits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import llama, weights


@dataclass(frozen=True, kw_only=True)
class Config(llama.Config):
    """config.json of model_type granite."""

    embedding_multiplier: float = 1.0
    attention_multiplier: float = 1.0
    residual_multiplier: float = 1.0
    logits_scaling: float = 1.0

    @property
    def attention_scale(self) -> float:
        return self.attention_multiplier

    @property
    def stream_eps(self) -> float:
        return self.rms_norm_eps / self.embedding_multiplier**2


class Model(llama.Model):
    """Granite: its multipliers are in the weights, so that LLaMA's graph is left."""

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: Config) -> dict[str, LazyTensor]:  # type: ignore[override]
        # The whole stream in units of the embeddings' multiplier: norms divide by its length anyway.
        branch = config.residual_multiplier / config.embedding_multiplier
        fused = weights.scaled(weights.fuse_llama(tensors), r"\.(o|down)_proj\.", branch)
        return weights.scaled(fused, r"^model\.norm\.", 1 / config.logits_scaling)
