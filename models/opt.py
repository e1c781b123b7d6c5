"""OPT (Zhang et al., 2022): GPT-2 with ReLU; one size has norms behind its sums and narrower tables."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from satchel.checkpoints.config_keys import COSMETIC, NEUTRAL
from satchel.checkpoints.tensors import LazyTensor
from satchel.models import gpt2, weights
from satchel.models.layers import Block, LayerNorm, Linear, PostNormBlock

RENAMED = (
    (r"^model\.decoder\.", "model."),
    (r"^model\.embed_positions\.", "wpe."),
    (r"^model\.final_layer_norm\.", "model.norm."),
    (r"^model\.(project_(in|out))\.", r"\1."),
    (r"\.self_attn_layer_norm\.", ".input_layernorm."),
    (r"\.final_layer_norm\.", ".post_attention_layernorm."),
    (r"\.out_proj\.", ".o_proj."),
    (r"\.fc1\.", ".mlp.up_proj."),
    (r"\.fc2\.", ".mlp.down_proj."),
)
OFFSET = 2  # rows before that of the first position


@dataclass(frozen=True, kw_only=True)
class Config(gpt2.Config):
    """config.json of model_type opt."""

    KEYS: ClassVar[dict[str, tuple[str, ...]]] = {
        "intermediate_size": ("ffn_dim",),
        "hidden_act": ("activation_function",),
        "num_key_value_heads": (),
        "head_dim": (),
        "without_norm": ("_remove_final_layer_norm",),
    }
    cosmetic: ClassVar[frozenset[str]] = COSMETIC | {"dropout", "layerdrop"}
    neutral: ClassVar[dict[str, tuple[Any, ...]]] = NEUTRAL | {
        "enable_bias": (True,),
        "layer_norm_elementwise_affine": (True,),
    }

    hidden_act: str = "relu"
    max_position_embeddings: int = 2048
    word_embed_proj_dim: int | None = None
    do_layer_norm_before: bool = True
    without_norm: bool = False

    @property
    def table_width(self) -> int:
        return self.word_embed_proj_dim or self.hidden_size


class Model(gpt2.Model):
    """OPT."""

    prefix = "model."

    def __init__(self, config: Config, context: int) -> None:
        super().__init__(config, context)
        size, width = config.hidden_size, config.table_width
        self.narrow = width != size
        if self.narrow:
            self.project_in = Linear(width, size, bias=False)
            self.project_out = Linear(size, width, bias=False)

    @staticmethod
    def norm(config: Any) -> LayerNorm | None:
        ends = config.do_layer_norm_before and not config.without_norm
        return gpt2.Model.norm(config) if ends else None

    @staticmethod
    def block(config: Any, layer: int) -> Block:
        made = gpt2.Model.block(config, layer)
        norms = (made.input_layernorm, made.post_attention_layernorm)
        before = config.do_layer_norm_before
        return made if before else PostNormBlock(made.self_attn, made.mlp, norms)

    def words(self, input_ids: Tensor) -> Tensor:
        words = super().words(input_ids)
        return self.project_in(words) if self.narrow else words

    def head(self, hidden: Tensor) -> Tensor:
        return super().head(self.project_out(hidden) if self.narrow else hidden)

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: Any) -> dict[str, LazyTensor]:
        named = weights.fuse_llama(weights.rename(tensors, RENAMED))
        return weights.transform(named, r"^wpe\.weight$", lambda table: table[OFFSET:])
