"""Arcee's foundation models (2025): LLaMA with an MLP of squared ReLU (So et al., 2021)."""

from __future__ import annotations

from dataclasses import dataclass

from satchel.models import llama
from satchel.models.layers import MLP


@dataclass(frozen=True, kw_only=True)
class Config(llama.Config):
    """config.json of model_type arcee."""

    hidden_act: str = "relu2"
    max_position_embeddings: int = 4096
    rms_norm_eps: float = 1e-5


class Model(llama.Model):
    """LLaMA with an MLP of two layers."""

    @staticmethod
    def mlp(config: llama.Config) -> MLP:
        return MLP(config.hidden_size, config.intermediate_size, config.hidden_act, config.mlp_bias)
