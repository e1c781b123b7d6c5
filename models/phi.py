"""Phi-1, 1.5 and 2 (Li et al., 2023): partial rotation, attention beside the MLP behind one norm."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from satchel.checkpoints.config_keys import COSMETIC, NEUTRAL
from satchel.checkpoints.tensors import LazyTensor
from satchel.models import gpt_neox, llama, weights
from satchel.models.rope import RopeParameters

RENAMED = (
    (r"^lm_head\.bias$", "logits_bias"),
    (r"^model\.final_layernorm\.", "model.norm."),
    (r"\.self_attn\.dense\.", ".self_attn.o_proj."),
    (r"\.mlp\.fc1\.", ".mlp.up_proj."),
    (r"\.mlp\.fc2\.", ".mlp.down_proj."),
)


@dataclass(frozen=True, kw_only=True)
class Config(llama.Config):
    """config.json of model_type phi."""

    cosmetic: ClassVar[frozenset[str]] = COSMETIC | {"embd_pdrop", "resid_pdrop"}
    neutral: ClassVar[dict[str, tuple[Any, ...]]] = NEUTRAL | {"qk_layernorm": (False,)}
    logits_bias: ClassVar[bool] = True

    hidden_act: str = "gelu_new"
    layer_norm_eps: float = 1e-5
    partial_rotary_factor: float = 0.5
    attention_bias: bool = True
    mlp_bias: bool = True
    use_parallel_residual: ClassVar[bool] = True
    norms: ClassVar[int] = 1

    def rope(self) -> RopeParameters:
        return self.rope_of(self.rope_theta, self.partial_rotary_factor)


class Model(gpt_neox.Model):
    """Phi."""

    prefix = "model."

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: Any) -> dict[str, LazyTensor]:
        return weights.fuse_llama(weights.rename(tensors, RENAMED))
