"""Helium (Kyutai, 2025): LLaMA that turns neighbouring channels together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import llama, weights

TURNING = r"\.(q|k)_(proj|norm)\."  # what makes, or norms, what positions turn


@dataclass(frozen=True, kw_only=True)
class Config(llama.Config):
    """config.json of model_type helium."""

    num_key_value_heads: int | None = 20
    head_dim: int | None = 128
    max_position_embeddings: int = 4096
    rms_norm_eps: float = 1e-8
    rope_theta: float = 100000.0

    @property
    def out_bias(self) -> bool:
        return False


class Model(llama.Model):
    """LLaMA, with rows in the order of our rotation."""

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: llama.Config) -> dict[str, LazyTensor]:
        width = config.head_size
        turned = int(width * config.rope().partial_rotary_factor)
        return weights.fuse_llama(weights.half_split(tensors, TURNING, width, turned))
