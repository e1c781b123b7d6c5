"""NeoBERT (Le Breton et al., 2025): pre-norm blocks with RMS norms, rotary positions and SwiGLU.

Its files come from code of its own; transformers has no class for them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import prenorm, weights
from satchel.models.bert import BertEmbeddings
from satchel.models.encoder_config import EncoderConfig
from satchel.models.heads import HeadShape
from satchel.models.layers import Block, GatedMLP, RMSNorm, Rope, SelfAttention
from satchel.models.rope import RopeParameters, halves_apart, rope_tables

RENAMED = (
    (r"^model\.", ""),
    (r"^encoder\.", "trunk.embeddings.word_embeddings."),
    (r"^transformer_encoder\.", "trunk.layers."),
    (r"^layer_norm\.", "trunk.final_norm."),
    (r"\.qkv\.", ".self_attn.qkv_proj."),
    (r"\.wo\.", ".self_attn.o_proj."),
    (r"\.ffn\.w12\.", ".mlp.gate_up_proj."),
    (r"\.ffn\.w3\.", ".mlp.down_proj."),
    (r"\.attention_norm\.", ".input_layernorm."),
    (r"\.ffn_norm\.", ".post_attention_layernorm."),
)


@dataclass(frozen=True, kw_only=True)
class Config(EncoderConfig):
    """config.json of model_type neobert."""

    KEYS: ClassVar[dict[str, tuple[str, ...]]] = {
        "hidden_act": (),
        "layer_norm_eps": ("norm_eps",),
        "max_position_embeddings": ("max_length",),
        "tie_word_embeddings": (),  # its code never ties them
    }
    cosmetic: ClassVar[frozenset[str]] = EncoderConfig.cosmetic | frozenset(
        """classifier_init_range decoder_init_range embedding_init_range
        tie_word_embeddings""".split()  # noqa: SIM905
    )

    hidden_act: str = "silu"
    layer_norm_eps: float = 1e-6
    max_position_embeddings: int = 1024
    tie_word_embeddings: bool = False

    @property
    def learned_positions(self) -> bool:
        return False

    @property
    def inner(self) -> int:
        """Columns of the gate: two thirds of what config.json says, as a multiple of 8."""
        return -(-(2 * self.intermediate_size // 3) // 8) * 8


class Model(prenorm.PreNormEncoder):
    """The trunk of NeoBERT."""

    def __init__(self, config: Config, typed: bool) -> None:
        size, heads, eps = config.hidden_size, config.num_attention_heads, config.eps
        places = config.positions
        rope = Rope(rope_tables(RopeParameters(), size // heads, places, places))

        def block() -> Block:
            attention = SelfAttention(size, heads, rope, bias=False)
            mlp = GatedMLP(size, config.inner, config.hidden_act, bias=False)
            return Block(attention, mlp, [RMSNorm(size, eps), RMSNorm(size, eps)])

        words = BertEmbeddings(config, typed, normed=False)
        super().__init__(
            words, (block() for _ in range(config.num_hidden_layers)), RMSNorm(size, eps)
        )

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: Config) -> weights.Tensors:
        def sorted_rows(rows: Tensor) -> Tensor:
            per_head = rows.unflatten(0, (config.num_attention_heads, 3, -1))
            query, key, value = (part.flatten(0, 1) for part in per_head.unbind(1))
            turned = [halves_apart(part, config.num_attention_heads) for part in (query, key)]
            return torch.cat([*turned, value])

        named = weights.rename(tensors, RENAMED)
        return weights.transform(named, r"\.self_attn\.qkv_proj\.weight$", sorted_rows)

    @staticmethod
    def heads(config: Config) -> dict[str, HeadShape]:
        classify = HeadShape("classifier", dense="dense", act="tanh", pooling="cls")
        return {"classify": classify, "fill-mask": HeadShape("decoder")}
