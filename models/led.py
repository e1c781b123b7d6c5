"""LED (Beltagy et al., 2020): BART whose encoder's tokens see their neighbours alone, as Longformer's do.

Without a mask of its own, transformers lets no token see the whole source, and so does satchel.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import bart, weights
from satchel.models.layers import Embedding
from satchel.models.longformer import reaches
from satchel.models.near_source import NearSource, NearStack
from satchel.models.seq2seq import Seq2seqStack

RENAMED = (
    (r"^led\.", ""),
    (r"\.self_attn\.longformer_self_attn\.(q|k|v)[a-z]+\.", r".self_attn.\1_proj."),
    (r"^(encoder\..*\.self_attn)\.output\.", r"\1.o_proj."),
)
GLOBAL = re.compile(r"\.(query|key|value)_global\.\w+$")  # of tokens that see the whole source


@dataclass(frozen=True, kw_only=True)
class Config(bart.Config):
    """config.json of model_type led."""

    cosmetic: ClassVar[frozenset[str]] = bart.Config.cosmetic | {"attention_probs_dropout_prob"}

    max_encoder_position_embeddings: int = 16384
    max_decoder_position_embeddings: int = 1024
    attention_window: list[int] | int = 512

    def __post_init__(self) -> None:
        super().__post_init__()
        reaches(self.attention_window, self.encoder_layers)

    @property
    def source_positions(self) -> int:
        return self.max_encoder_position_embeddings

    @property
    def target_positions(self) -> int:
        return self.max_decoder_position_embeddings

    @property
    def first_position(self) -> int:
        return 0


class Model(bart.Model):
    """LED. `names` are those of the checkpoint's tensors, sanitized."""

    notes = (
        "each token of a source sees its neighbours alone, as in transformers without a "
        "global_attention_mask",
    )

    @staticmethod
    def reader(config: bart.Config, words: Embedding) -> Seq2seqStack:
        assert isinstance(config, Config)
        depth, heads = config.encoder_layers, config.encoder_attention_heads
        embeddings, blocks, last = bart.parts(config, words, depth, crossing=False)
        for block, reach in zip(blocks, reaches(config.attention_window, depth), strict=True):
            block.self_attn = NearSource(config.hidden_size, heads, reach)
        return NearStack(embeddings, blocks, last)

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: bart.Config) -> weights.Tensors:
        named = weights.rename(tensors, RENAMED)
        used = {name: tensor for name, tensor in named.items() if not GLOBAL.search(name)}
        return bart.Model.sanitize(used, config)
