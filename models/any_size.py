"""Image trunks that read an image of any size, whose learned positions are stretched to it in the graph.
Knows no model_type."""

from __future__ import annotations

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from satchel.models.layers import LayerNorm
from satchel.models.vision import Patches, VisionBlock, VisionStack
from satchel.models.vision_config import ImageConfig, Size


class AnySizeTrunk(VisionStack):
    """pixel_values [batch, channels, height, width] to states [batch, length, hidden].

    `first` tokens stand before the patches and `last` behind them: `positions` has them in its first and
    last rows.
    """

    def __init__(
        self,
        config: ImageConfig,
        blocks: Sequence[VisionBlock],
        norm: LayerNorm | None,
        *,
        first: int = 1,
        last: int = 0,
    ) -> None:
        super().__init__(blocks, norm)
        self.patches = Patches(config, None, bias=True)
        self.before = config.grid(config.pixels)
        self.first, self.behind = first, first + self.before[0] * self.before[1]
        self.positions = nn.Parameter(torch.zeros(self.behind + last, config.hidden_size))

    def embedded(self, pixels: Tensor) -> Tensor:
        """The tokens, and the patches between them."""
        last = len(self.positions) - self.behind
        x = F.pad(self.patches(pixels), (0, 0, self.first, last))
        return x + self.sized(self.positions, pixels)

    def sized(self, positions: Tensor, pixels: Tensor) -> Tensor:
        """A table like `positions` for the patches of images, [length, hidden]."""
        table = self.stretched(positions[self.first : self.behind], self.grid(pixels))
        last = [positions[self.behind :]] if len(positions) > self.behind else []
        return torch.cat([positions[: self.first], table, *last])

    def stretched(self, table: Tensor, after: Size) -> Tensor:
        """Positions [patches, hidden] for another grid, [rows * columns, hidden]."""
        return stretched(table, self.before, after)

    def grid(self, pixels: Tensor) -> Size:
        """Rows and columns of the patches of images."""
        height, width = self.patches.patch
        return pixels.shape[2] // height, pixels.shape[3] // width

    def forward(self, pixels: Tensor) -> Tensor:
        return self.run(self.embedded(pixels))


def stretched(table: Tensor, before: Size, after: Size) -> Tensor:
    """Positions [rows * columns, hidden] of one grid for another, as transformers resamples them."""
    grid = table.unflatten(0, before).permute(2, 0, 1)[None]  # [1, hidden, rows, columns]
    return F.interpolate(grid, after, mode="bicubic", align_corners=False)[0].flatten(1).mT


def batch(image_size: Size | None) -> int | str:
    """The first axis of inputs and outputs: images of different sizes are read one by one."""
    return "batch" if image_size else 1
