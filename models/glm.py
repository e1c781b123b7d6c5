"""GLM-4 (GLM Team, 2024): LLaMA of which half of a head turns, neighbouring channels together."""

from __future__ import annotations

from dataclasses import dataclass

from satchel.models import helium, llama
from satchel.models.rope import RopeParameters

Model = helium.Model


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
