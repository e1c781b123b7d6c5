"""Cells of a grid in another order: windows, shifted ones, and fours that become one. Knows no model.

The grid of an image is known when a graph is made, so each order is one table of places, and what is
padded is a place that holds zeros.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from satchel.models.relative import GridPlaces

HIDDEN = -100.0  # what hides a cell from others, as models were trained
Grid = tuple[int, int]


class Cells(nn.Module):
    """States [batch, cells, size] in the order of a table; the place behind the last holds zeros."""

    order: Tensor

    def __init__(self, order: Tensor, cells: int) -> None:
        super().__init__()
        self.padded = bool((order == cells).any())
        self.register_buffer("order", order, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        x = F.pad(x, (0, 0, 0, 1)) if self.padded else x
        return x[:, self.order]


class Windows(nn.Module):
    """Windows of `side` times `side` cells, cut from a grid that is turned by `shift` first.

    What meets in a window by turning alone is hidden from each other, `hidden` times HIDDEN.
    """

    mask: Tensor | None

    def __init__(self, grid: Grid, side: int, shift: int, hidden: int = 1) -> None:
        super().__init__()
        cells = grid[0] * grid[1]
        places = _padded(grid, side).roll((-shift, -shift), (0, 1))
        order = _cut(places, side).flatten()
        back = torch.empty(cells, dtype=torch.int64, device="cpu")
        real = order < cells
        back[order[real]] = torch.arange(len(order), device="cpu")[real]
        self.length = side * side
        self.places = GridPlaces((side, side))
        self.there, self.back = Cells(order, cells), Cells(back, len(order))
        mask = None
        if shift:
            down, right = (_regions(count, side, shift) for count in places.shape)
            regions = _cut(down[:, None] * 3 + right, side)
            apart = regions[:, None] != regions[:, :, None]
            mask = (apart * HIDDEN * hidden)[:, None]  # [windows, 1, length, length]
        self.register_buffer("mask", mask, persistent=False)

    def split(self, x: Tensor) -> Tensor:
        """[batch, cells, size] to [batch * windows, length, size]."""
        return self.there(x).reshape(-1, self.length, x.shape[-1])

    def join(self, x: Tensor) -> Tensor:
        """Back again."""
        return self.back(x.reshape(-1, len(self.there.order), x.shape[-1]))

    def masked(self, bias: Tensor, batch: int) -> Tensor:
        """The bias [1, heads, length, length] of every window, or of each where they differ."""
        return bias if self.mask is None else (bias + self.mask).repeat(batch, 1, 1, 1)


def merging(grid: Grid) -> Tensor:
    """The order in which every two rows and columns of a grid become one cell, four after another."""
    places = _padded(grid, 2)
    fours = [places[row::2, column::2] for column in range(2) for row in range(2)]
    return torch.stack(fours, -1).flatten()


def _padded(grid: Grid, side: int) -> Tensor:
    """The number of each cell, on a grid whose sides are multiples."""
    cells = torch.arange(grid[0] * grid[1], device="cpu").view(grid)
    return F.pad(cells, (0, -grid[1] % side, 0, -grid[0] % side), value=grid[0] * grid[1])


def _cut(grid: Tensor, side: int) -> Tensor:
    """[rows, columns] to [windows, side * side]."""
    cut = grid.unflatten(0, (-1, side)).unflatten(2, (-1, side))  # [down, side, right, side]
    return cut.transpose(1, 2).flatten(2).flatten(0, 1)


def _regions(count: int, side: int, shift: int) -> Tensor:
    """Along one side: what no shift moved, what stayed beside it, and what came from the other edge."""
    places = torch.arange(count, device="cpu")
    return (places >= count - side).long() + (places >= count - shift).long()
