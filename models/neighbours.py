"""Attention to neighbours alone: queries in blocks, each of which sees the keys around it.

No score is made of a query and a key that are far apart, so that memory grows with a text's length and
not with its square.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
from torch import Tensor

from satchel.models import attend
from satchel.models.attend import LOWEST
from satchel.models.layers import SelfAttention
from satchel.models.relative import DistanceBias

BLOCK = 128  # queries that see the same keys: with fewer, keys are copied more often


@dataclass(frozen=True)
class Leading:
    """The tokens at a text's beginning that see all of it and are seen by all: `count`, int64 [1 or
    batch], of which there are `most` at most."""

    count: Tensor
    most: int

    @property
    def places(self) -> Tensor:
        """int64 [most]."""
        return torch.arange(self.most)


@dataclass(frozen=True)
class Neighbours:
    """What each block of a text's queries sees: places of queries, int64 [blocks, BLOCK], and of keys,
    [blocks, seen]; `bias` [batch * blocks, 1 or heads, BLOCK, seen] is added to their scores."""

    queries: Tensor
    keys: Tensor
    bias: Tensor
    leading: Leading | None = None

    @classmethod
    def of(cls, texts: Texts, reach: int) -> Neighbours:
        """Those of `texts` whose tokens see `reach` others to either side."""
        length, lengths, leading = texts.length, texts.lengths, texts.leading
        blocks = counted(torch.full((), (length + BLOCK - 1) // BLOCK))
        first = torch.arange(blocks)[:, None] * BLOCK
        queries = (first + torch.arange(BLOCK)).clamp(max=length - 1)
        seen = torch.sym_min(length, BLOCK + 2 * reach)
        keys = (first - reach).clamp(min=0).clamp(max=length - seen) + torch.arange(seen)
        hidden = ((keys[:, None] - queries[..., None]).abs() > reach)[None]
        if lengths is not None:
            hidden = hidden | (keys >= lengths[:, None, None])[:, :, None]
        if leading is not None:
            count, places = leading.count[:, None], leading.places
            hidden = hidden | (keys < count[..., None])[:, :, None]
            beyond = (places >= count)[:, None, None].expand(-1, *queries.shape, -1)
            hidden = torch.cat([hidden, beyond], -1)
            keys = torch.cat([keys, places.expand(keys.shape[0], -1)], 1)
        bias = torch.where(hidden, LOWEST, 0.0)[:, :, None]
        if texts.distances is not None:
            bias = bias + texts.distances(queries, keys[:, None])
        bias = bias.expand(texts.batch, -1, -1, -1, -1)
        return cls(queries, keys, bias.flatten(0, 1), leading)


@dataclass(frozen=True)
class Texts:
    """A batch of texts of one length, and the neighbours within them: layers of one reach share those."""

    batch: int
    length: int
    lengths: Tensor | None = None  # int32 [batch]: tokens that are no padding, None where all are
    leading: Leading | None = None
    distances: DistanceBias | None = None  # what is added to the scores by distance
    made: dict[int, Neighbours] = field(default_factory=dict)

    def near(self, reach: int) -> Neighbours:
        """Those of tokens that see `reach` others on either side."""
        if reach not in self.made:
            self.made[reach] = Neighbours.of(self, reach)
        return self.made[reach]


def attention(
    query: Tensor, key: Tensor, value: Tensor, near: Neighbours, num_heads: int, scale: float
) -> Tensor:
    """Attention within texts [batch, length, heads * head_dim], of each token to its neighbours."""
    batch, length, _ = query.shape
    query = _blocks(query, near.queries)
    key, value = _blocks(key, near.keys), _blocks(value, near.keys)
    attended = attend.attention(query, key, value, num_heads, scale, near.bias)
    whole = attended.unflatten(0, (batch, -1)).flatten(1, 2)
    # A slice would ask the tracer which of the two is longer.
    return whole.index_select(1, torch.arange(length))


def counted(count: Tensor) -> int:
    """An int64 number, 1 at least, that a graph knows when it runs: the tracer is not to choose between
    one and many."""
    found: Any = count.item()
    torch._check(found >= 1)
    return found


def _blocks(x: Tensor, places: Tensor) -> Tensor:
    """The tokens of x [batch, length, width] at places [blocks, n], as [batch * blocks, n, width]."""
    return x.index_select(1, places.flatten()).unflatten(1, places.shape).flatten(0, 1)


class NearAttention(SelfAttention):
    """Attention of each token to `reach` others on either side."""

    def __init__(self, hidden_size: int, num_heads: int, reach: int, **form: Any) -> None:
        super().__init__(hidden_size, num_heads, **form)
        self.reach = reach

    def forward(self, x: Tensor, texts: Texts, *_: None) -> Tensor:  # type: ignore[override]
        """Attend within x [batch, length, hidden]."""
        return self.o_proj(self.attended(x, texts.near(self.reach)))

    def attended(self, x: Tensor, near: Neighbours) -> Tensor:
        """What the heads find, [batch, length, heads * head_dim]."""
        return attention(*self.projected(x), near, self.num_heads, self.scale)
