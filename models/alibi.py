"""ALiBi (Press et al., 2022): positions as a bias of the scores, by a slope per head. Knows no model."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor, nn

from satchel.models.attend import Cache


class Alibi(nn.Module):
    """What is added to the scores, by the place of a key: a table [heads, positions].

    What the place of the query would add is the same for all keys, which no softmax sees. So one bias
    serves all rows of a batch, and all layers.
    """

    biases: Tensor

    def __init__(self, biases: Tensor) -> None:
        super().__init__()
        self.register_buffer("biases", biases, persistent=False)

    @classmethod
    def of(cls, heads: int, context: int) -> Self:
        """That of Press et al. for so many positions."""
        steep = torch.tensor(slopes(heads), device="cpu")
        return cls(steep[:, None] * torch.arange(context, device="cpu"))

    def forward(self, queries: int, cache: Cache | None) -> Tensor:
        """float32 [1, heads, queries, keys]: for so many queries and, with a cache, all its keys."""
        keys = self.biases[:, torch.arange(queries) if cache is None else cache.all_positions()]
        return keys[None, :, None].expand(-1, -1, queries, -1)


def slopes(heads: int) -> list[float]:
    """The slope of each head: powers of two from near 1 down to 1/256, and where their count is none,
    those of twice as many heads between them."""

    def powers(count: int) -> list[float]:
        return [2 ** (-8 * (head + 1) / count) for head in range(count)]

    least = 1 << (heads.bit_length() - 1)
    return powers(least) + powers(2 * least)[::2][: heads - least]
