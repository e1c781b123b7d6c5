"""Attention whose scores have words and distances apart (He et al., 2020: DeBERTa). Knows no file.

A score is the sum of word by word, word by distance ("c2p") and distance by word ("p2c"). Keys and
queries of distances depend on weights alone: they are tables, made once.
"""

from __future__ import annotations

from collections.abc import Collection

import torch
from torch import Tensor, nn

from satchel.models import attend
from satchel.models.layers import SelfAttention

TABLES = {
    "c2p": "distance_keys",
    "p2c": "distance_queries",
}  # term -> what words are multiplied with


class DisentangledAttention(SelfAttention):
    """Attention within a text, with tables [heads, rows, head_dim] for the `terms` of its scores; they
    hold the scale of the scores."""

    distance_keys: nn.Parameter | None
    distance_queries: nn.Parameter | None

    def __init__(
        self, hidden_size: int, num_heads: int, scale: float, terms: Collection[str], rows: int
    ) -> None:
        super().__init__(hidden_size, num_heads, scale=scale)
        for term, name in TABLES.items():
            table = torch.empty(num_heads, rows, hidden_size // num_heads)
            self.register_parameter(name, nn.Parameter(table) if term in terms else None)

    def forward(
        self, x: Tensor, bias: Tensor | None = None, lengths: Tensor | None = None
    ) -> Tensor:
        """As SelfAttention; `bias` are the rows [2, 2 * length] of `Distances`, of which it is made."""
        query, key, value = self.qkv_proj(x).chunk(3, dim=-1)
        rows, bias = bias, None
        if rows is not None:
            terms = []
            if self.distance_keys is not None:
                terms.append(self._scores(query, self.distance_keys, rows[0]))
            if self.distance_queries is not None:
                terms.append(self._scores(key, self.distance_queries, rows[1]).mT)
            bias = terms[0] if len(terms) == 1 else terms[0] + terms[1]
        attended = attend.attention(query, key, value, self.num_heads, self.scale, bias, lengths)
        return self.o_proj(attended)

    def _scores(self, words: Tensor, table: Tensor, rows: Tensor) -> Tensor:
        """[batch, heads, length, length] of words [batch, length, hidden] with the rows of distances."""
        words = words.unflatten(-1, (self.num_heads, -1)).transpose(1, 2)
        return skewed(words @ table.index_select(1, rows).mT)


def skewed(scores: Tensor) -> Tensor:
    """Column ``length - 1 - i + j`` of row i becomes column j: [..., length, 2 * length] to [..., length,
    length]. Each row begins one number earlier than the last, so no number is looked up by an index."""
    length = scores.shape[-2]
    rows = scores.flatten(-2)[..., length - 1 : -1].unflatten(-1, (length, 2 * length - 1))
    return rows[..., :length]


class Distances(nn.Module):
    """Which row of the tables each distance has, ``query - key``, for texts of up to `context` tokens.

    There are `span` rows for either direction. With `buckets`, near distances have rows of their own and
    farther ones share them, on a scale of logarithms up to `farthest`.
    """

    rows: Tensor

    def __init__(self, span: int, context: int, farthest: int, buckets: int = 0) -> None:
        super().__init__()
        self.context = context
        distance = torch.arange(-context, context + 1, device="cpu")
        near = _buckets(distance, buckets, farthest) if buckets else distance
        rows = (near + span).clamp(0, 2 * span - 1)
        # A query's keys are ever nearer to it from the left, a key's queries farther.
        self.register_buffer("rows", torch.stack([rows.flip(0), rows]), persistent=False)

    def forward(self, length: int) -> Tensor:
        """int64 [2, 2 * length]: the rows from distance ``length - 1`` down, and from its negative up."""
        return self.rows.index_select(1, torch.arange(2 * length) + (self.context - length + 1))


def _buckets(distance: Tensor, buckets: int, farthest: int) -> Tensor:
    half = buckets // 2
    apart = distance.abs()
    # In float32 and this order, because a bucket's edge must fall where training had it.
    whole = torch.log(torch.tensor((farthest - 1) / half, device="cpu"))
    far = torch.ceil(torch.log(apart / half) / whole * (half - 1)) + half
    return torch.where(apart <= half, distance, (far * distance.sign())).long()
