"""The neck and head of DPT (Ranftl et al., 2021): states of several depths to one map. Knows no trunk."""

from __future__ import annotations

import torch.nn.functional as F
from torch import Tensor, nn

from satchel.models.vision_config import Size


class Reassembled(nn.Module):
    """States of patches as planes of `channels` and, by a factor, more or fewer rows and columns."""

    def __init__(self, size: int, channels: int, factor: float, width: int) -> None:
        super().__init__()
        self.projection = nn.Conv2d(size, channels, 1)
        self.resize: nn.Module | None = None
        if factor > 1:
            self.resize = nn.ConvTranspose2d(channels, channels, int(factor), int(factor))
        elif factor < 1:
            self.resize = nn.Conv2d(channels, channels, 3, int(1 / factor), 1)
        self.convolution = nn.Conv2d(channels, width, 3, 1, 1, bias=False)

    def forward(self, states: Tensor, grid: Size) -> Tensor:
        """[batch, rows * columns, size] to [batch, width, rows * factor, columns * factor]."""
        x = self.projection(states.mT.unflatten(2, grid))
        return self.convolution(x if self.resize is None else self.resize(x))


class Residual(nn.Module):
    """Two convolutions behind an activation each, added to what goes in."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convolution1 = nn.Conv2d(width, width, 3, 1, 1)
        self.convolution2 = nn.Conv2d(width, width, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.convolution2(self.convolution1(x.relu()).relu())


class Fused(nn.Module):
    """What deeper states gave (but for the deepest) and planes of others, made as large as the next."""

    def __init__(self, width: int, deepest: bool) -> None:
        super().__init__()
        self.projection = nn.Conv2d(width, width, 1)
        self.residual_layer1 = None if deepest else Residual(width)
        self.residual_layer2 = Residual(width)

    def forward(self, x: Tensor, other: Tensor | None, size: Size) -> Tensor:
        if self.residual_layer1 is not None and other is not None:
            x = x + self.residual_layer1(other)
        return self.projection(cornered(self.residual_layer2(x), size))


class DepthHead(nn.Module):
    """Fused planes to distances [batch, height, width], in pixels; `most` times a sigmoid where they are
    `metric`, and else what is not negative."""

    def __init__(self, width: int, hidden: int, metric: bool, most: float) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(width, width // 2, 3, 1, 1)
        self.conv2 = nn.Conv2d(width // 2, hidden, 3, 1, 1)
        self.conv3 = nn.Conv2d(hidden, 1, 1)
        self.metric, self.most = metric, most

    def forward(self, x: Tensor, size: Size) -> Tensor:
        x = self.conv3(self.conv2(cornered(self.conv1(x), size)).relu())[:, 0]
        return (x.sigmoid() if self.metric else x.relu()) * self.most


def cornered(x: Tensor, size: Size) -> Tensor:
    """Planes made larger so that their corners keep their values."""
    return F.interpolate(x, size, mode="bilinear", align_corners=True)


class DepthNeck(nn.Module):
    """States of patches [batch, places, size] of several depths, the deepest last, to distances, by the
    fused planes that are `chosen`."""

    def __init__(
        self,
        size: int,
        channels: list[int],
        factors: list[int | float],
        width: int,
        head: DepthHead,
        chosen: int = -1,
    ) -> None:
        super().__init__()
        self.chosen = chosen
        pairs = list(zip(channels, factors, strict=True))
        self.parts = nn.ModuleList(Reassembled(size, one, by, width) for one, by in pairs)
        self.fused = nn.ModuleList(Fused(width, deepest=not place) for place in range(len(pairs)))
        self.head = head

    def forward(self, states: list[Tensor], grid: Size, size: Size) -> Tensor:
        """Distances [batch, height, width] of images of a `size` and of a `grid` of patches."""
        planes = [part(x, grid) for part, x in zip(self.parts, states, strict=True)][::-1]
        rows, columns = planes[-1].shape[2:]
        sizes = [*(tuple(one.shape[2:]) for one in planes[1:]), (2 * rows, 2 * columns)]
        x, found = planes[0], []
        for place, (layer, wanted) in enumerate(zip(self.fused, sizes, strict=True)):
            x = layer(x, planes[place] if place else None, wanted)
            found.append(x)
        return self.head(found[self.chosen], size)
