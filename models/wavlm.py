"""WavLM (Chen et al., 2022): wav2vec 2.0 with T5's bias by distance, gated by what each frame holds."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import weights
from satchel.models.layers import SelfAttention
from satchel.models.relative import DistanceBias
from satchel.models.seq2seq import Context
from satchel.models.sound import SoundTrunk
from satchel.models.sound_config import SoundConfig
from satchel.models.vision_config import wrong
from satchel.models.weights import Tensors

TABLE = "trunk.layers.0.self_attn.rel_attn_embed.weight"  # kept by the first block, for all
GATES, SUMMED = 2, 4  # a gate is the sum of so many outputs of its layer
GATED = (
    (r"\.gru_rel_pos_linear\.", ".gates."),
    (r"\.gru_rel_pos_const$", ".strength"),
    (f"^{re.escape(TABLE)}$", "trunk.bias.weight"),
)


@dataclass(frozen=True, kw_only=True)
class Config(SoundConfig):
    """config.json of model_type wavlm."""

    cosmetic: ClassVar[frozenset[str]] = SoundConfig.cosmetic | {"num_ctc_classes"}

    num_buckets: int = 320
    max_bucket_distance: int = 800

    def __post_init__(self) -> None:
        super().__post_init__()
        exact = self.num_buckets // 4  # distances with a bucket of their own
        if not 1 <= exact < self.max_bucket_distance <= 1 << 14:
            raise wrong(
                f"num_buckets = {self.num_buckets} and max_bucket_distance = "
                f"{self.max_bucket_distance} do not go together"
            )


class GatedAttention(SelfAttention):
    """Attention whose bias by distance every frame scales, per head, by what it holds itself."""

    def __init__(self, hidden_size: int, num_heads: int) -> None:
        super().__init__(hidden_size, num_heads)
        self.gates = nn.Linear(hidden_size // num_heads, GATES)
        self.strength = nn.Parameter(torch.ones(num_heads, 1, 1))

    def forward(self, x: Tensor, context: Context) -> Tensor:  # type: ignore[override]
        assert context.bias is not None
        heads = x.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
        first, second = torch.sigmoid(self.gates(heads)).chunk(GATES, dim=-1)
        gate = first * (second * self.strength - 1) + 2  # [batch, heads, frames, 1]
        return super().forward(x, gate * context.bias)


class Model(SoundTrunk):
    """The trunk of WavLM."""

    def __init__(self, config: Config) -> None:
        super().__init__(config)
        heads, reach = config.num_attention_heads, config.max_bucket_distance
        self.bias = DistanceBias(heads, reach, both=True)

    def attention(self, config: SoundConfig) -> nn.Module:
        return GatedAttention(config.hidden_size, config.num_attention_heads)

    def context(self, frames: int) -> Context:
        places = torch.arange(frames)
        return Context(bias=self.bias(places[None], places))

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: SoundConfig) -> Tensors:
        assert isinstance(config, Config)
        buckets, reach = config.num_buckets, config.max_bucket_distance
        named = weights.rename(SoundTrunk.sanitize(tensors, config), GATED)
        named = weights.transform(named, r"\.strength$", lambda x: x.flatten()[:, None, None])
        named = weights.transform(
            named, r"\.gates\.", lambda x: x.unflatten(0, (GATES, SUMMED)).sum(1)
        )
        return weights.transform(
            named, "^trunk.bias.weight$", lambda x: DistanceBias.table(x, buckets, reach, both=True)
        )
