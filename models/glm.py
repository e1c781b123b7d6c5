"""GLM-4 (GLM Team, 2024): LLaMA of which half of a head turns, neighbouring channels together."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import llama, weights
from satchel.models.helium import TURNING
from satchel.models.rope import RopeParameters


@dataclass(frozen=True, kw_only=True)
class Config(llama.Config):
    """config.json of model_type glm."""

    num_key_value_heads: int | None = 2
    head_dim: int | None = 128
    max_position_embeddings: int = 131072
    rms_norm_eps: float = 1.5625e-7
    attention_bias: bool = True
    partial_rotary_factor: float | None = 0.5

    def rope(self) -> RopeParameters:
        partial = self.partial_rotary_factor
        return self.rope_of(self.rope_theta, 1.0 if partial is None else partial)

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
