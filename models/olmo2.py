"""OLMo 2 (Walsh et al., 2024): norms behind attention and MLP, and over all queries and keys at once."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor, nn

from satchel.models import llama
from satchel.models.attend import Cache
from satchel.models.layers import Attention, GatedMLP, RMSNorm, Rope


@dataclass(frozen=True, kw_only=True)
class Config(llama.Config):
    """config.json of model_type olmo2."""

    rms_norm_eps: float = 1e-5

    @property
    def qk_norm_eps(self) -> float:
        return self.rms_norm_eps


class WideNormAttention(Attention):
    """Attention whose norms see all heads of a token as one."""

    @property
    def norm_sizes(self) -> tuple[int, int]:
        return self.heads.widths[0], self.heads.widths[1]

    def normed(self, query: Tensor, key: Tensor, cache: Cache | None) -> tuple[Tensor, Tensor]:
        return self.q_norm(query), self.k_norm(key)


class Olmo2Block(nn.Module):
    """A block that reads the residual stream as it is and norms what it adds."""

    attending: type[Attention] = WideNormAttention

    def __init__(self, config: llama.Config, window: int | None, rope: Rope | None) -> None:
        super().__init__()
        size, eps = config.hidden_size, config.stream_eps
        self.self_attn = llama.attention(config, window, rope, self.attending)
        self.mlp = GatedMLP(size, config.intermediate_size, config.hidden_act, bias=False)
        self.post_attention_layernorm = RMSNorm(size, eps)
        self.post_feedforward_layernorm = RMSNorm(size, eps)

    def forward(
        self, x: Tensor, residual: Tensor | None, cache: Cache | None
    ) -> tuple[Tensor, Tensor]:
        x = x if residual is None else x + residual
        x = x + self.post_attention_layernorm(self.self_attn(x, cache))
        return self.post_feedforward_layernorm(self.mlp(x)), x


class Model(llama.Model):
    """OLMo 2."""

    block = staticmethod(Olmo2Block)
