"""LongT5 (Guo et al., 2022), local: T5 whose encoder's tokens see their neighbours alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import t5, weights
from satchel.models.layers import Embedding
from satchel.models.near_source import NearSource, NearStack
from satchel.models.seq2seq import Seq2seqBlock, Seq2seqStack
from satchel.runtime.errors import CheckpointError, UnsupportedError, shown

RENAMED = ((r"^(encoder\..*)\.LocalSelfAttention\.", r"\1.SelfAttention."),)
FARTHEST = 1 << 20  # tokens on either side


@dataclass(frozen=True, kw_only=True)
class Config(t5.Config):
    """config.json of model_type longt5."""

    cosmetic: ClassVar[frozenset[str]] = t5.Config.cosmetic | {"global_block_size"}

    local_radius: int = 127
    encoder_attention_type: str = "local"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.encoder_attention_type != "local":
            raise UnsupportedError(
                f"config.json: encoder_attention_type {shown(self.encoder_attention_type)} is not "
                "supported; known: local"
            )
        if not 0 <= self.local_radius <= FARTHEST:
            raise CheckpointError(
                f"config.json: local_radius = {self.local_radius} is outside 0..{FARTHEST}",
                "CKPT_CONFIG",
            )

    @property
    def source_context(self) -> int:
        return 16384  # what it was trained for; memory grows with the length


class Model(t5.Model):
    """LongT5."""

    @staticmethod
    def _stack(config: t5.Config, words: Embedding, depth: int, crossing: bool) -> Seq2seqStack:
        assert isinstance(config, Config)
        made = t5.Model._stack(config, words, depth, crossing)
        if crossing:
            return made
        heads = config.heads
        blocks = [block for block in made.layers if isinstance(block, Seq2seqBlock)]
        for block in blocks:
            block.self_attn = NearSource(
                config.hidden_size,
                heads.num_heads,
                config.local_radius,
                bias=False,
                head_dim=heads.head_dim,
                scale=heads.scale,
            )
        return NearStack(made.embeddings, blocks, made.norm, made.distance_bias)

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: t5.Config) -> weights.Tensors:
        return t5.Model.sanitize(weights.rename(tensors, RENAMED), config)
