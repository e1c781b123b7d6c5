"""Nemotron (Parmar et al., 2024): layer norms, an MLP of squared ReLU, and half of a head rotates."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import arcee, llama, weights
from satchel.models.layers import LayerNorm
from satchel.models.rope import RopeParameters


@dataclass(frozen=True, kw_only=True)
class Config(llama.Config):
    """config.json of model_type nemotron."""

    hidden_act: str = "relu2"
    max_position_embeddings: int = 4096
    norm_eps: float = 1e-5
    partial_rotary_factor: float = 0.5

    def rope(self) -> RopeParameters:
        return self.rope_of(self.rope_theta, self.partial_rotary_factor)

    @property
    def stream_eps(self) -> float:
        return self.norm_eps


class Model(arcee.Model):
    """Arcee's block with layer norms."""

    @staticmethod
    def norm(config: llama.Config) -> LayerNorm:
        return LayerNorm(config.hidden_size, config.stream_eps)

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: llama.Config) -> dict[str, LazyTensor]:
        # Nemotron stores its norm gains minus one.
        return weights.transform(
            weights.fuse_llama(tensors), r"norm\.weight$", lambda gain: gain + 1
        )
