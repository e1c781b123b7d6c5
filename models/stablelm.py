"""StableLM (Bellagamba et al., 2024): LLaMA with layer norms and partial rotation."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from satchel.checkpoints.config_keys import NEUTRAL
from satchel.checkpoints.tensors import LazyTensor
from satchel.models import gpt_neox, llama, weights
from satchel.models.rope import RopeParameters


@dataclass(frozen=True, kw_only=True)
class Config(llama.Config):
    """config.json of model_type stablelm."""

    KEYS: ClassVar[dict[str, tuple[str, ...]]] = {"attention_bias": ("use_qkv_bias",)}
    neutral: ClassVar[dict[str, tuple[Any, ...]]] = NEUTRAL | {"qk_layernorm": (False,)}

    num_key_value_heads: int | None = 32
    max_position_embeddings: int = 4096
    layer_norm_eps: float = 1e-5
    partial_rotary_factor: float = 0.25
    use_parallel_residual: bool = False

    @property
    def norms(self) -> int:
        """Before the parts of a block."""
        return 1 if self.use_parallel_residual else 2

    @property
    def out_bias(self) -> bool:
        return False

    def rope(self) -> RopeParameters:
        return self.rope_of(self.rope_theta, self.partial_rotary_factor)


class Model(gpt_neox.Model):
    """StableLM."""

    prefix = "model."
    mlp = staticmethod(llama.Model.mlp)

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: Any) -> dict[str, LazyTensor]:
        return weights.fuse_llama(tensors)
