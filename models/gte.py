"""GTE (Zhang et al., 2024): rotary positions and GeGLU, with one or no token type.

`gte` files are what transformers 5 saves or what Snowflake's code does, `new` files (see new.py) what the
authors' own code does, with fused projections.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor, nn

from satchel.checkpoints.config_keys import NEUTRAL
from satchel.checkpoints.tensors import LazyTensor
from satchel.models import bert, roberta, rotary_bert, weights
from satchel.models.encoder_config import EncoderConfig
from satchel.models.heads import HeadShape
from satchel.models.layers import GatedMLP
from satchel.models.rope import RopeParameters
from satchel.runtime.errors import UnsupportedError, shown

RENAMED = (
    (r"\.mlp\.up_gate_proj\.", ".mlp.gate_up_proj."),
    (r"^lm_head\.norm\.", "lm_head.layer_norm."),
)


@dataclass(frozen=True, kw_only=True)
class Config(rotary_bert.Config):
    """config.json of model_type gte."""

    cosmetic: ClassVar[frozenset[str]] = rotary_bert.Config.cosmetic | frozenset(
        ["pack_qkv", "unpad_inputs", "use_memory_efficient_attention"]
    )
    neutral: ClassVar[dict[str, tuple[Any, ...]]] = NEUTRAL | {
        "layer_norm_type": ("layer_norm",),
        "logn_attention_clip1": (False,),
        "logn_attention_scale": (False,),
        "position_embedding_type": ("rope",),
    }

    max_position_embeddings: int = 8192
    types: int = 1
    rope_theta: float = 160000.0

    def rope(self) -> RopeParameters:
        """How heads turn. NTK scaling by a factor is a greater base and slower turns."""
        scaling = self.rope_scaling or {}
        if scaling.get("type") != "ntk":
            return super().rope()
        other = sorted(scaling.keys() - {"type", "factor"})
        if other and any(scaling[key] is not None for key in other):
            raise UnsupportedError(f"config.json: rope_scaling of type ntk with {shown(other)}")
        linear = RopeParameters.from_dict({**scaling, "type": "linear"}, self.rope_theta)
        factor = linear.factor or 1.0
        return RopeParameters(
            rope_type="linear",
            rope_theta=self.rope_theta * factor,
            factor=factor ** (2 / self.head_size),
        )


class Model(rotary_bert.Model):
    """The trunk of GTE."""

    @staticmethod
    def mlp(config: EncoderConfig) -> nn.Module:
        size, inner = config.hidden_size, config.intermediate_size
        return GatedMLP(size, inner, config.hidden_act, bias=False, out_bias=True)

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: EncoderConfig) -> weights.Tensors:
        turned = weights.transform(tensors, r"\.mlp\.up_gate_proj\.weight$", _gate_first)
        named = rotary_bert.Model.sanitize(weights.rename(turned, RENAMED), config)
        return weights.fuse(named, rotary_bert.GATED, "gate_up_proj")

    @staticmethod
    def heads(config: EncoderConfig) -> dict[str, HeadShape]:
        shapes = bert.Model.heads(config)
        words = roberta.Model.heads(config)["fill-mask"]
        return {"classify": shapes["classify"], "tokens": shapes["tokens"], "fill-mask": words}


def _gate_first(rows: Tensor) -> Tensor:
    up, gate = rows.chunk(2)
    return torch.cat([gate, up])
