"""Gemma 2 (Riviere et al., 2024): norms on both sides of attention and MLP, soft caps on scores and
logits, windows on alternate layers, embeddings scaled by the root of their size."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor, nn

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import llama, weights
from satchel.models.attend import Cache
from satchel.models.both_ways import BothWays
from satchel.models.config import windows
from satchel.models.layers import Attention, GatedMLP, RMSNorm, Rope


@dataclass(frozen=True, kw_only=True)
class Config(llama.Config):
    """config.json of model_type gemma2."""

    KEYS: ClassVar[dict[str, tuple[str, ...]]] = {"hidden_act": ("hidden_activation",)}

    num_key_value_heads: int | None = 4
    head_dim: int | None = 256
    hidden_act: str = "gelu_pytorch_tanh"
    max_position_embeddings: int = 8192
    tie_word_embeddings: bool = True
    query_pre_attn_scalar: float = 256.0
    sliding_window: int | None = 4096
    layer_types: list[str] | None = None
    final_logit_softcapping: float | None = 30.0
    attn_logit_softcapping: float | None = 50.0

    def windows(self) -> list[int | None]:
        kinds = self.layer_types or [
            "full_attention" if layer % 2 else "sliding_attention"
            for layer in range(self.num_hidden_layers)
        ]
        return windows(self, kinds, self.sliding_window)

    @property
    def attention_scale(self) -> float:
        return self.query_pre_attn_scalar**-0.5

    @property
    def attention_softcap(self) -> float:
        return self.attn_logit_softcapping or 0.0


class Gemma2Block(nn.Module):
    """A block whose two branches are normed before they join the residual stream."""

    def __init__(self, config: llama.Config, window: int | None, rope: Rope | None) -> None:
        super().__init__()
        size, eps = config.hidden_size, config.stream_eps
        self.self_attn = llama.attention(
            config, window, rope, Attention if config.causal else BothWays
        )
        self.mlp = GatedMLP(size, config.intermediate_size, config.hidden_act, bias=False)
        self.input_layernorm = RMSNorm(size, eps)
        self.post_attention_layernorm = RMSNorm(size, eps)
        self.pre_feedforward_layernorm = RMSNorm(size, eps)
        self.post_feedforward_layernorm = RMSNorm(size, eps)

    def forward(
        self, x: Tensor, residual: Tensor | None, cache: Cache | None
    ) -> tuple[Tensor, Tensor]:
        hidden, residual = self.input_layernorm.add(x, residual)
        hidden = self.post_attention_layernorm(self.self_attn(hidden, cache))
        hidden, residual = self.pre_feedforward_layernorm.add(hidden, residual)
        return self.post_feedforward_layernorm(self.mlp(hidden)), residual


class Model(llama.Model):
    """Gemma 2."""

    block = staticmethod(Gemma2Block)

    def embed(self, input_ids: Tensor, cache: Cache | None) -> Tensor:
        return super().embed(input_ids, cache) * self.config.hidden_size**0.5

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: llama.Config) -> dict[str, LazyTensor]:
        # Gemma stores its norm gains minus one.
        return weights.transform(
            weights.fuse_llama(tensors), r"norm\.weight$", lambda gain: gain + 1
        )
