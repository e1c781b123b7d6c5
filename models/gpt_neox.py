"""GPT-NeoX and Pythia (Black et al., 2022): partial rotation, attention and MLP side by side."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import nn

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import llama, weights
from satchel.models.layers import MLP, Block, LayerNorm, ParallelBlock, Rope
from satchel.models.rope import RopeParameters

RENAMED = (
    (r"^gpt_neox\.", "model."),
    (r"^embed_out\.", "lm_head."),
    (r"\.embed_in\.", ".embed_tokens."),
    (r"\.final_layer_norm\.", ".norm."),
    (r"\.attention\.query_key_value\.", ".self_attn.qkv_proj."),
    (r"\.attention\.dense\.", ".self_attn.o_proj."),
    (r"\.dense_h_to_4h\.", ".up_proj."),
    (r"\.dense_4h_to_h\.", ".down_proj."),
)


@dataclass(frozen=True, kw_only=True)
class Config(llama.Config):
    """config.json of model_type gpt_neox."""

    KEYS: ClassVar[dict[str, tuple[str, ...]]] = {"num_key_value_heads": (), "head_dim": ()}

    hidden_act: str = "gelu"
    layer_norm_eps: float = 1e-5
    rotary_emb_base: float = 10000.0
    rotary_pct: float = 0.25
    rope_theta: float | None = None  # type: ignore[assignment]  # this and the next repeat those
    partial_rotary_factor: float | None = None
    use_parallel_residual: bool = True
    attention_bias: bool = True
    mlp_bias: bool = True
    norms: ClassVar[int] = 2  # before the parts of a block

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_same("rope_theta", self.rotary_emb_base, "rotary_emb_base")
        self.check_same("partial_rotary_factor", self.rotary_pct, "rotary_pct")

    def rope(self) -> RopeParameters:
        return self.rope_of(self.rotary_emb_base, self.rotary_pct)


class Model(llama.Model):
    """GPT-NeoX, and the start of those that have its norms and MLP."""

    prefix = "gpt_neox."

    @classmethod
    def block(cls, config: Any, window: int | None, rope: Rope | None) -> nn.Module:
        kind = ParallelBlock if config.use_parallel_residual else Block
        norms = [cls.norm(config) for _ in range(config.norms)]
        return kind(llama.attention(config, window, rope), cls.mlp(config), norms)

    @staticmethod
    def mlp(config: Any) -> nn.Module:
        inner = config.intermediate_size or 4 * config.hidden_size
        return MLP(config.hidden_size, inner, config.hidden_act, config.mlp_bias)

    @staticmethod
    def norm(config: Any) -> LayerNorm:
        return LayerNorm(config.hidden_size, config.layer_norm_eps)

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: Any) -> dict[str, LazyTensor]:
        named = weights.rename(tensors, RENAMED)
        return weights.by_role(named, config.kv_heads, config.head_size)
