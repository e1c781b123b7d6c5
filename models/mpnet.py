"""MPNet (Song et al., 2020): BERT whose attention also sees how far apart two tokens are."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import bert, roberta, weights
from satchel.models.encoder_config import EncoderConfig
from satchel.models.relative import FARTHEST, DistanceBias
from satchel.runtime.errors import UnsupportedError

BUCKETS = 32  # the one count that the original implements
RENAMED = (
    (r"^mpnet\.", ""),
    (r"^encoder\.relative_attention_bias\.weight$", "trunk.distance_bias.weight"),
    (r"\.attention\.attn\.(q|k|v|o)\.", r".attention.\1_proj."),
    (r"\.attention\.LayerNorm\.", ".attention_norm."),
)


@dataclass(frozen=True, kw_only=True)
class Config(EncoderConfig):
    """config.json of model_type mpnet."""

    relative_attention_num_buckets: int = BUCKETS

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.relative_attention_num_buckets != BUCKETS:
            raise UnsupportedError(
                f"config.json: relative_attention_num_buckets = "
                f"{self.relative_attention_num_buckets} is not supported; expected {BUCKETS}"
            )

    @property
    def first_position(self) -> int:
        return 2


class Model(bert.Model):
    """The trunk of MPNet, with the bias of every distance written out."""

    unused = ("pooler",)

    def __init__(self, config: EncoderConfig, typed: bool) -> None:
        super().__init__(config, typed)
        self.distance_bias = DistanceBias(config.num_attention_heads, FARTHEST, both=True)

    def attention_bias(self, length: int) -> Tensor:
        steps = torch.arange(length)
        return self.distance_bias(steps[None], steps)

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: EncoderConfig) -> dict[str, LazyTensor]:
        named = bert.Model.sanitize(weights.rename(tensors, RENAMED), config)
        return weights.transform(
            named,
            r"^trunk\.distance_bias\.weight$",
            lambda biases: DistanceBias.table(biases, BUCKETS, FARTHEST, both=True),
        )

    heads = staticmethod(roberta.Model.heads)
