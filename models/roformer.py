"""RoFormer (Su et al., 2021): BERT whose neighbouring channels turn by position."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import nn

from satchel.checkpoints.config_keys import NEUTRAL
from satchel.checkpoints.tensors import LazyTensor
from satchel.models import bert, weights
from satchel.models.encoder_config import EncoderConfig
from satchel.models.heads import HeadShape
from satchel.models.layers import SelfAttention, StoredRope
from satchel.models.rope import RopeParameters, halves_apart, rope_tables

COS, SIN = (f"trunk.layers.0.attention.rope.{part}" for part in ("cos", "sin"))


@dataclass(frozen=True, kw_only=True)
class Config(bert.Config):
    """config.json of model_type roformer."""

    neutral: ClassVar[dict[str, tuple[Any, ...]]] = NEUTRAL | {"rotary_value": (False,)}

    embedding_size: int | None = None
    max_position_embeddings: int = 1536

    @property
    def learned_positions(self) -> bool:
        return False

    @property
    def embedding_width(self) -> int:
        return self.embedding_size or self.hidden_size

    @property
    def head_size(self) -> int:
        return self.hidden_size // self.num_attention_heads


class Model(bert.Model):
    """The trunk of RoFormer, with the rotary tables that its files hold."""

    unused = ("cls",)

    @staticmethod
    def blocks(config: EncoderConfig) -> nn.ModuleList:
        assert isinstance(config, Config)
        size, heads = config.hidden_size, config.num_attention_heads
        rope = StoredRope(config.positions, config.head_size // 2)
        return nn.ModuleList(
            bert.BertBlock(config, SelfAttention(size, heads, rope))
            for _ in range(config.num_hidden_layers)
        )

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: EncoderConfig) -> weights.Tensors:
        assert isinstance(config, Config)
        heads = config.num_attention_heads
        pattern = r"\.attention\.self\.(query|key)\."
        turned = weights.transform(tensors, pattern, lambda rows: halves_apart(rows, heads))
        named = bert.Model.sanitize(turned, config)
        table = named.pop("encoder.embed_positions.weight", None)
        if table is None:
            places = config.positions
            tables = rope_tables(RopeParameters(), config.head_size, places, places)
            return named | weights.known(dict(zip((COS, SIN), tables, strict=True)))
        both = {SIN: table, COS: table}  # [positions, head size]: sines, then cosines
        both = weights.transform(both, f"^{SIN}$", lambda x: x.chunk(2, -1)[0])
        both = weights.transform(both, f"^{COS}$", lambda x: x.chunk(2, -1)[-1])
        return named | both

    @staticmethod
    def heads(config: EncoderConfig) -> dict[str, HeadShape]:
        classify = HeadShape(
            "classifier.out_proj", dense="classifier.dense", act=config.hidden_act, pooling="cls"
        )
        return bert.Model.heads(config) | {"classify": classify}
