"""LLaMA (Touvron et al., 2023): RMS norm, rotary positions, grouped-query attention, gated MLP.

Its family shares `blocks`; an architecture that differs by numbers or flags is a config here or in a
file of its own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from torch import nn

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import weights
from satchel.models.attend import Heads
from satchel.models.config import RopeConfig
from satchel.models.decoder import Decoder
from satchel.models.layers import Attention, Block, GatedMLP, RMSNorm, Rope
from satchel.models.rope import rope_tables


@dataclass(frozen=True, kw_only=True)
class Config(RopeConfig):
    """config.json of model_type llama."""

    attention_bias: bool = False
    mlp_bias: bool = False

    def windows(self) -> list[int | None]:
        """Sliding window per layer."""
        return [None] * self.num_hidden_layers

    def layer_ropes(self) -> list[str | None]:
        """Per layer the name of its rotary parameters, or None for a layer without positions."""
        return ["all"] * self.num_hidden_layers

    @property
    def out_bias(self) -> bool:
        return self.attention_bias

    @property
    def qk_norm_eps(self) -> float | None:
        return None

    @property
    def attention_scale(self) -> float:
        """What scores are multiplied with."""
        return self.head_size**-0.5

    @property
    def attention_softcap(self) -> float:
        """What scores stay below, 0 for no such cap."""
        return 0.0

    @property
    def stream_eps(self) -> float:
        """That of the norms which read the residual stream, as `sanitize` scales it."""
        return self.rms_norm_eps


def heads(config: Config, window: int | None = None) -> Heads:
    """The geometry of a block's attention, with its own window."""
    return Heads(
        config.num_attention_heads,
        config.kv_heads,
        config.head_size,
        config.attention_scale,
        config.attention_softcap,
        window,
    )


def attention(
    config: Config, window: int | None, rope: Rope | None, kind: type[Attention] = Attention
) -> Attention:
    """The attention of a block, with its own window and positions."""
    return kind(
        config.hidden_size,
        heads(config, window),
        rope,
        bias=config.attention_bias,
        out_bias=config.out_bias,
        qk_norm_eps=config.qk_norm_eps,
    )


class Model(Decoder):
    """LLaMA and the architectures that differ from it by `config` alone."""

    attending: type[Attention] = Attention

    def __init__(self, config: Config, context: int) -> None:
        limit = config.max_position_embeddings
        ropes: dict[str | None, Rope | None] = {
            name: Rope(rope_tables(rope, config.head_size, context, limit))
            for name, rope in config.ropes().items()
        }
        ropes[None] = None
        blocks = [
            self.block(config, window, ropes[name])
            for window, name in zip(config.windows(), config.layer_ropes(), strict=True)
        ]
        super().__init__(config, blocks, self.norm(config))

    @classmethod
    def block(cls, config: Any, window: int | None, rope: Rope | None) -> nn.Module:
        """One block, with its own window and positions."""
        norms = (cls.norm(config), cls.norm(config))
        return Block(attention(config, window, rope, cls.attending), cls.mlp(config), norms)

    @staticmethod
    def mlp(config: Any) -> nn.Module:
        """The MLP of a block."""
        return GatedMLP(
            config.hidden_size, config.intermediate_size, config.hidden_act, config.mlp_bias
        )

    @staticmethod
    def norm(config: Any) -> RMSNorm:
        """A norm that reads the residual stream."""
        return RMSNorm(config.hidden_size, config.stream_eps)

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: Config) -> dict[str, LazyTensor]:
        """Checkpoint names and layouts to ours."""
        return weights.fuse_llama(tensors)
