"""MPNet (Song et al., 2020): BERT whose attention also sees how far apart two tokens are."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from satchel.models import bert, roberta, weights
from satchel.models.checkpoint import LazyTensor
from satchel.models.encoder_config import EncoderConfig
from satchel.runtime.errors import UnsupportedError

BUCKETS = 32  # the one count that the original implements
FARTHEST = 128  # tokens; beyond, all distances are one bucket
RENAMED = (
    (r"^mpnet\.", ""),
    (r"^encoder\.relative_attention_bias\.weight$", "trunk.distance_bias"),
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
        self.reach = config.positions - 1
        columns = 2 * self.reach + 1  # from -reach to reach
        self.distance_bias = nn.Parameter(torch.empty(config.num_attention_heads, columns))

    def attention_bias(self, length: int) -> Tensor:
        steps = torch.arange(length)
        columns = steps - steps[:, None] + self.reach  # [length, length]
        chosen = self.distance_bias.index_select(1, columns.flatten())
        return chosen.view(1, -1, length, length)

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: EncoderConfig) -> dict[str, LazyTensor]:
        reach = config.positions - 1
        buckets = distance_buckets(torch.arange(-reach, reach + 1, device="cpu"))

        def by_distance(table: Tensor) -> Tensor:
            """[buckets, heads] becomes [heads, distances]."""
            return table.T[:, buckets.to(table.device)]

        named = bert.Model.sanitize(weights.rename(tensors, RENAMED), config)
        return weights.transform(named, r"^trunk\.distance_bias$", by_distance)

    heads = staticmethod(roberta.Model.heads)


def distance_buckets(distance: Tensor) -> Tensor:
    """Bucket of ``key position - query position``: exact when near, logarithmic farther off."""
    half, exact = BUCKETS // 2, BUCKETS // 4
    apart = distance.abs()
    # In float32 and this order, because a bucket's edge must fall where training had it.
    logarithm = torch.log(apart.float() / exact) / math.log(FARTHEST / exact)
    far = (exact + (logarithm * (half - exact)).long()).clamp(max=half - 1)
    return torch.where(apart < exact, apart, far) + half * (distance > 0)
