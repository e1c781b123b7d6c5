"""Whole texts in a decoder's blocks: nothing is kept, and tokens may see those behind them, too."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Self

import torch
from torch import Tensor

from satchel.models import attend
from satchel.models.attend import LOWEST, Cache
from satchel.models.layers import Attention


@dataclass
class WholeTexts(Cache):
    """In place of a cache: texts of one length, with nothing before them and nothing to come."""

    biases: dict[int, Tensor] = field(default_factory=dict)

    @classmethod
    def of(cls, input_ids: Tensor) -> Self:
        """For int64 ids [batch, length]."""
        batch, length = input_ids.shape
        last = torch.full((batch,), length - 1, dtype=torch.int32)
        return cls(last, torch.full((1,), length, dtype=torch.int32), [])

    def near(self, window: int, length: int) -> Tensor:
        """[1, 1, length, length]: 0 for tokens less than `window` apart, else the lowest number."""
        if window not in self.biases:  # layers share it
            steps = torch.arange(length)
            seen = (steps - steps[:, None]).abs() < window
            self.biases[window] = torch.where(seen, 0.0, LOWEST)[None, None]
        return self.biases[window]


class BothWays(Attention):
    """Attention over whole texts in both directions; a window reaches as far to either side."""

    def forward(self, x: Tensor, cache: Cache | None, bias: Tensor | None = None) -> Tensor:
        assert isinstance(cache, WholeTexts)
        heads = self.heads
        query, key, value = self.qkv_proj(x).split(heads.widths, dim=-1)
        if self.norms:
            query, key = self.normed(query, key, cache)
        if self.rope is not None:
            query = attend.rotary(query, *self.rope.tables, heads.num_heads)
            key = attend.rotary(key, *self.rope.tables, heads.num_kv_heads)
        key, value = self._for_all_heads(key), self._for_all_heads(value)
        if heads.window is not None:
            bias = cache.near(heads.window, x.shape[1])
        return self.o_proj(attend.attention(query, key, value, heads.num_heads, heads.scale, bias))

    def _for_all_heads(self, x: Tensor) -> Tensor:
        """Keys or values [batch, length, kv_heads * head_dim], repeated for the heads that share each."""
        sharing = self.heads.num_heads // self.heads.num_kv_heads
        if sharing == 1:
            return x
        per_head = x.unflatten(-1, (self.heads.num_kv_heads, 1, -1))
        return per_head.expand(-1, -1, -1, sharing, -1).flatten(2)
