"""Hunyuan's dense models (Tencent, 2025): LLaMA with norms behind the rotation of queries and keys."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import ClassVar

from torch import Tensor

from satchel.checkpoints.config_keys import COSMETIC
from satchel.checkpoints.tensors import LazyTensor
from satchel.models import attend, llama, weights
from satchel.models.attend import Cache
from satchel.models.field_types import WHOLE
from satchel.models.layers import Attention
from satchel.models.rope import RopeParameters
from satchel.runtime.errors import CheckpointError, shown

RENAMED = ((r"\.query_layernorm\.", ".q_norm."), (r"\.key_layernorm\.", ".k_norm."))


@dataclass(frozen=True, kw_only=True)
class Config(llama.Config):
    """config.json of model_type hunyuan_v1_dense."""

    cosmetic: ClassVar[frozenset[str]] = COSMETIC | {"eod_token_id"}

    rms_norm_eps: float = 1e-5

    def rope(self) -> RopeParameters:
        rope, alpha = super().rope(), self.said.get("alpha")
        if rope.rope_type != "dynamic" or not alpha:
            return rope
        if not isinstance(alpha, int | float) or not 0 < alpha < WHOLE:
            raise CheckpointError(
                f"config.json: rope alpha = {shown(alpha)}; expected a number above 0",
                "CKPT_CONFIG",
            )
        # A base that is stretched once and for all, under the name of one that grows with the text.
        theta = rope.rope_theta * alpha ** (self.head_size / (self.head_size - 2))
        return replace(rope, rope_type="default", rope_theta=theta)

    @property
    def qk_norm_eps(self) -> float:
        return self.rms_norm_eps


class TurnedAttention(Attention):
    """Attention that norms queries and keys when their positions have turned them."""

    kernel_turns = False

    def normed(self, query: Tensor, key: Tensor, cache: Cache | None) -> tuple[Tensor, Tensor]:
        assert self.rope is not None
        positions = None if cache is None else cache.positions(query.shape[1])
        counts = (self.heads.num_heads, self.heads.num_kv_heads)
        turned = [
            attend.rotary(x, *self.rope.tables, count, positions)
            for x, count in zip((query, key), counts, strict=True)
        ]
        return super().normed(turned[0], turned[1], cache)


class Model(llama.Model):
    """LLaMA's blocks around an attention of its own."""

    attending = TurnedAttention

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: llama.Config) -> dict[str, LazyTensor]:
        named = weights.fuse_llama(weights.rename(tensors, RENAMED))
        # The keys' gain goes to the queries, so that a cache keeps what positions only turn.
        for name in [name for name in named if name.endswith(".k_norm.weight")]:
            other = name.replace(".k_norm.", ".q_norm.")
            if other in named and named[other].shape == named[name].shape:
                named[other] = _product(named[other], named[name])
                named[name] = weights.constant(named[name].shape, 1.0)
        return named


def _product(one: LazyTensor, other: LazyTensor) -> LazyTensor:
    return LazyTensor(one.shape, lambda: one.load() * other.load())
