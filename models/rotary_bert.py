"""BERT whose heads turn by position (Su et al., 2021) in place of a table: what such encoders share.

Files name the parts in several ways, which do not contradict one another: all are read everywhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import nn

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import bert, weights
from satchel.models.config import LIMITS, read_rope
from satchel.models.encoder_config import EncoderConfig
from satchel.models.layers import Rope, SelfAttention
from satchel.models.rope import RopeParameters, rope_tables, whole_rotation
from satchel.runtime.errors import CheckpointError

RENAMED = (
    (r"^(nomic_bert|gte|new|roberta|bert)\.", ""),
    (r"^emb_ln\.", "embeddings.LayerNorm."),
    (r"^(encoder\.)?layers?\.(?=\d)", "trunk.layers."),
    (r"\.(attn|mixer)\.Wqkv\.", ".attention.qkv_proj."),
    (r"\.(attn|mixer)\.out_proj\.", ".attention.o_proj."),
    (r"\.self_attn\.", ".attention."),
    (r"\.(norm1|attn_ln|post_attention_layernorm)\.", ".attention_norm."),
    (r"\.(norm2|mlp_ln|post_mlp_layernorm)\.", ".output_norm."),
    (r"\.mlp\.fc12\.", ".mlp.gate_proj."),
    (r"\.mlp\.fc11?\.", ".mlp.up_proj."),
    (r"\.mlp\.fc2\.", ".mlp.down_proj."),
)
GATED = ("gate_proj", "up_proj")


@dataclass(frozen=True, kw_only=True)
class Config(EncoderConfig):
    """What these configurations share; `rope_theta` has another default in each."""

    KEYS: ClassVar[dict[str, tuple[str, ...]]] = {"types": ("type_vocab_size",)}

    types: int = 2  # of tokens; some have none
    head_dim: int | None = None
    rope_theta: float = 10000.0
    rope_scaling: dict[str, Any] | None = None
    rope_parameters: dict[str, Any] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if not 0 <= self.types <= LIMITS["type_vocab_size"]:
            raise CheckpointError(
                f"config.json: type_vocab_size = {self.types} is outside "
                f"0..{LIMITS['type_vocab_size']}",
                "CKPT_CONFIG",
            )

    @property
    def learned_positions(self) -> bool:
        return False

    @property
    def token_types(self) -> int:
        return self.types

    @property
    def head_size(self) -> int:
        return self.head_dim or self.hidden_size // self.num_attention_heads

    def rope(self) -> RopeParameters:
        """How heads turn."""
        return whole_rotation(read_rope(self.rope_scaling, self.rope_parameters, self.rope_theta))


class Model(bert.Model):
    """A trunk of post-norm blocks with one pair of rotary tables."""

    biased = True  # whether attention's projections have biases

    @classmethod
    def blocks(cls, config: EncoderConfig) -> nn.ModuleList:
        assert isinstance(config, Config)
        size, heads, width = config.hidden_size, config.num_attention_heads, config.head_size
        rope = Rope(rope_tables(config.rope(), width, config.positions, config.positions))

        def attention() -> SelfAttention:
            return SelfAttention(size, heads, rope, bias=cls.biased, head_dim=width)

        count = config.num_hidden_layers
        return nn.ModuleList(
            bert.BertBlock(config, attention(), cls.mlp(config)) for _ in range(count)
        )

    @staticmethod
    def mlp(config: EncoderConfig) -> nn.Module | None:
        """The MLP of a block; None is BERT's."""
        return None

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: EncoderConfig) -> weights.Tensors:
        return bert.Model.sanitize(weights.rename(tensors, RENAMED), config)
