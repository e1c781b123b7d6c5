"""Command R and Aya (Cohere, 2024): layer norms without biases, attention and MLP side by side behind
one, scaled logits."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch.nn.functional as F
from torch import Tensor

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import llama, weights
from satchel.models.helium import TURNING
from satchel.models.layers import Attention, LayerNorm, ParallelBlock, RMSNorm, Rope


@dataclass(frozen=True, kw_only=True)
class Config(llama.Config):
    """config.json of model_type cohere."""

    max_position_embeddings: int = 8192
    layer_norm_eps: float = 1e-5
    logit_scale: float = 0.0625
    rope_theta: float = 500000.0
    tie_word_embeddings: bool = True
    use_qk_norm: bool = False

    @property
    def stream_eps(self) -> float:
        return self.layer_norm_eps

    @property
    def qk_norm_eps(self) -> float | None:
        return self.layer_norm_eps if self.use_qk_norm else None


class GainPerHeadAttention(Attention):
    """Attention whose queries and keys go through layer norms, with a gain of its own for each head."""

    @property
    def norm_sizes(self) -> tuple[int, int]:
        return self.heads.widths[0], self.heads.widths[1]

    def _per_head(self, norm: RMSNorm, x: Tensor) -> Tensor:
        size = self.heads.head_dim
        normed = F.layer_norm(x.unflatten(-1, (-1, size)), (size,), eps=norm.eps)
        return normed.flatten(-2) * norm.weight


class Model(llama.Model):
    """Command R."""

    attending = GainPerHeadAttention

    @classmethod
    def block(cls, config: llama.Config, window: int | None, rope: Rope | None) -> ParallelBlock:
        attention = llama.attention(config, window, rope, cls.attending)
        return ParallelBlock(attention, cls.mlp(config), [cls.norm(config)])

    @staticmethod
    def norm(config: llama.Config) -> LayerNorm:
        return LayerNorm(config.hidden_size, config.stream_eps)

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: Config) -> dict[str, LazyTensor]:  # type: ignore[override]
        flat = weights.transform(tensors, r"\.(q|k)_norm\.", lambda gain: gain.flatten())
        width = config.head_size
        named = weights.fuse_llama(weights.half_split(flat, TURNING, width, width))
        named = weights.zero_biases(named, r"(input_layernorm|^model\.norm)\.weight$")
        return weights.scaled(named, r"^model\.norm\.", config.logit_scale)
