"""Relative positions as a bias per head: by buckets of distances as in T5 (Raffel et al., 2020), or by
the distance of two cells of a grid."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

FARTHEST = 128  # tokens; beyond, all distances are one bucket


def distance_buckets(
    distance: Tensor, buckets: int, farthest: int = FARTHEST, both: bool = True
) -> Tensor:
    """Bucket of ``key position - query position``: exact when near, logarithmic farther off.

    Half the buckets are for keys that follow, unless not `both` directions are seen.
    """
    half = buckets // 2 if both else buckets
    exact = half // 2
    apart = distance.abs() if both else (-distance).clamp(min=0)
    # In float32 and this order, because a bucket's edge must fall where training had it.
    logarithm = torch.log(apart.float() / exact) / math.log(farthest / exact)
    far = (exact + (logarithm * (half - exact)).long()).clamp(max=half - 1)
    return torch.where(apart < exact, apart, far) + (half * (distance > 0) if both else 0)


class DistanceBias(nn.Module):
    """What is added to the scores, by distance: a table [distances, heads] from -reach to `most`.

    `most` is `reach`, or 0 where no key that follows is seen. Beyond `reach` all distances are alike.
    """

    def __init__(self, heads: int, reach: int, both: bool) -> None:
        super().__init__()
        self.reach, self.most = reach, reach if both else 0
        self.weight = nn.Parameter(torch.empty(self.reach + self.most + 1, heads))

    def forward(self, queries: Tensor, keys: Tensor) -> Tensor:
        """float32 [batch, heads, queries, keys] of int64 positions [batch, queries] and [keys], or
        [batch, 1, keys]."""
        distance = (keys - queries[..., None]).clamp(-self.reach, self.most) + self.reach
        # Gathered per head: a permuted last axis fails torch.export for an odd number of heads.
        return self.weight.T[:, distance].transpose(0, 1)

    @staticmethod
    def table(biases: Tensor, buckets: int, reach: int, both: bool) -> Tensor:
        """The bias of every distance, written out from that of the buckets [buckets, heads]."""
        if len(biases) != buckets:
            raise RuntimeError(f"{len(biases)} rows for {buckets} buckets")
        distances = torch.arange(-reach, reach + 1 if both else 1, device="cpu")
        return biases[distance_buckets(distances, buckets, reach, both).to(biases.device)]


class GridPlaces(nn.Module):
    """Which row of a table by distances in a grid has the bias of a query and a key, int64 [length,
    length]; layers share it.

    Distances are those of rows and columns, the query's less the key's. With a `token` before the grid
    the last three rows are for it as a query, as a key, and as both.
    """

    places: Tensor

    def __init__(self, grid: tuple[int, int], *, token: bool = False) -> None:
        super().__init__()
        rows, columns = grid
        cells = torch.arange(rows * columns, device="cpu")
        down, right = (part[:, None] - part for part in (cells // columns, cells % columns))
        places = (down + rows - 1) * (2 * columns - 1) + right + columns - 1
        self.rows = (2 * rows - 1) * (2 * columns - 1)
        if token:
            places = nn.functional.pad(places, (1, 0, 1, 0), value=self.rows + 1)
            places[0] = self.rows
            places[0, 0] = self.rows + 2
            self.rows += 3
        self.register_buffer("places", places, persistent=False)


class GridBias(nn.Module):
    """What is added to the scores, by distance in a grid: a table [rows of `places`, heads]."""

    def __init__(self, heads: int, places: GridPlaces) -> None:
        super().__init__()
        self.places = places
        self.weight = nn.Parameter(torch.empty(places.rows, heads))

    def forward(self) -> Tensor:
        """float32 [1, heads, length, length]."""
        return self.weight.T[:, self.places.places][None]


def stretched_bias(
    table: Tensor, before: tuple[int, int], after: tuple[int, int], others: int = 3
) -> Tensor:
    """The table of a square grid from one size to another, without the last rows, which are for
    `others`."""
    rows, columns = (2 * side - 1 for side in before)
    if before == after or len(table) != rows * columns + others:
        return table
    grid = table[: rows * columns].T.unflatten(1, (rows, columns))[
        None
    ]  # [1, heads, rows, columns]
    wanted = tuple(2 * side - 1 for side in after)
    sized = nn.functional.interpolate(grid, wanted, mode="bilinear", align_corners=False)
    return torch.cat((sized[0].flatten(1).T, table[rows * columns :]))
