"""MobileNet V3 (Howard et al., 2019): blocks of V2, of which most weigh channels by the whole image.

transformers has none: such files are timm's, whose names say which of the tables below is meant.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple

import torch.nn.functional as F
from torch import Tensor, nn

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import convolutions, ops, vision, weights
from satchel.models.convolutions import ConvConfig, Convolution
from satchel.models.encoder import Tower
from satchel.models.layers import Linear
from satchel.models.vision_config import Size, wrong
from satchel.runtime.errors import shown

TASKS = convolutions.TASKS
STEM, SQUEEZED, MOST_WIDER, SWISH = 16, 4, 8, "hard_swish"


class BlockRow(NamedTuple):
    """So many blocks: their kernel, the stride of the first, how many times wider they are inside, their
    channels, whether these are weighed, and the activation."""

    blocks: int
    kernel: int
    stride: int
    wider: float
    channels: int
    weighed: bool
    act: str


SMALL = (  # by stage
    (BlockRow(1, 3, 2, 1, 16, True, "relu"),),
    (BlockRow(1, 3, 2, 4.5, 24, False, "relu"), BlockRow(1, 3, 1, 3.67, 24, False, "relu")),
    (BlockRow(1, 5, 2, 4, 40, True, SWISH), BlockRow(2, 5, 1, 6, 40, True, SWISH)),
    (BlockRow(2, 5, 1, 3, 48, True, SWISH),),
    (BlockRow(3, 5, 2, 6, 96, True, SWISH),),
)
LARGE = (
    (BlockRow(1, 3, 1, 1, 16, False, "relu"),),
    (BlockRow(1, 3, 2, 4, 24, False, "relu"), BlockRow(1, 3, 1, 3, 24, False, "relu")),
    (BlockRow(3, 5, 2, 3, 40, True, "relu"),),
    (
        BlockRow(1, 3, 2, 6, 80, False, SWISH),
        BlockRow(1, 3, 1, 2.5, 80, False, SWISH),
        BlockRow(2, 3, 1, 2.3, 80, False, SWISH),
    ),
    (BlockRow(2, 3, 1, 6, 112, True, SWISH),),
    (BlockRow(3, 5, 2, 6, 160, True, SWISH),),
)
KINDS = {"small": (SMALL, 576, 1024), "large": (LARGE, 960, 1280)}  # channels of states and head


@dataclass(frozen=True, kw_only=True)
class Config(ConvConfig):
    """What the name of one of timm's MobileNets says; `minimal` ones have kernels of 3, ReLU alone, and
    weigh no channels."""

    size: str = "small"
    channel_multiplier: float = 1.0
    minimal: bool = False
    tf_padding: bool = False
    layer_norm_eps: float = 1e-5

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_sizes()
        if self.size not in KINDS:
            raise wrong(f"size = {shown(self.size)}; expected {' or '.join(KINDS)}")
        if not 0 < self.channel_multiplier <= MOST_WIDER:
            raise wrong(
                f"channel_multiplier = {self.channel_multiplier}; expected {MOST_WIDER} at most"
            )

    def channels(self, count: float) -> int:
        """About so many times the multiplier."""
        return convolutions.near(count * self.channel_multiplier)

    @property
    def hidden_size(self) -> int:
        """Channels of the last states."""
        return self.channels(KINDS[self.size][1])

    @property
    def act(self) -> str:
        """The activation of most layers."""
        return "relu" if self.minimal else SWISH


class WeighedChannels(nn.Module):
    """Each channel times a weight in 0..1 that the means of all make (Hu et al., 2018)."""

    def __init__(self, size: int) -> None:
        super().__init__()
        inner = convolutions.near(size / SQUEEZED)
        self.conv_reduce, self.conv_expand = Linear(size, inner), Linear(inner, size)

    def forward(self, x: Tensor) -> Tensor:
        inner = ops.activation("relu", self.conv_reduce(x.mean((2, 3))))
        return x * F.hardsigmoid(self.conv_expand(inner))[:, :, None, None]


class MobileBlock(nn.Module):
    """Wider where it expands, convolved channel by channel, weighed, narrower again."""

    def __init__(self, config: Config, inputs: int, row: BlockRow, stride: int) -> None:
        super().__init__()
        if config.minimal:
            row = row._replace(kernel=3, weighed=False, act="relu")
        inner, outputs = convolutions.near(inputs * row.wider), config.channels(row.channels)
        self.around = stride == 1 and inputs == outputs
        self.expand = Convolution(inputs, inner, 1, act=row.act) if row.wider != 1 else None
        self.deep = Convolution(
            inner,
            inner,
            row.kernel,
            stride=stride,
            groups=inner,
            act=row.act,
            late=config.tf_padding,
        )
        self.se = WeighedChannels(inner) if row.weighed else None
        self.reduce = Convolution(inner, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        wide = self.deep(x if self.expand is None else self.expand(x))
        found: Tensor = self.reduce(wide if self.se is None else self.se(wide))
        return x + found if self.around else found


class MobileTrunk(nn.Module):
    """pixel_values [batch, channels, height, width] to states [batch, length, hidden]."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        # The narrow ones keep their first layer.
        inputs = STEM if config.channel_multiplier < 0.75 else config.channels(STEM)
        self.stem = Convolution(3, inputs, 3, stride=2, act=config.act, late=config.tf_padding)
        self.blocks = nn.Sequential()
        for stage in KINDS[config.size][0]:
            blocks = nn.Sequential()
            for row in stage:
                for stride in (row.stride, *[1] * (row.blocks - 1)):
                    blocks.append(MobileBlock(config, inputs, row, stride))
                    inputs = config.channels(row.channels)
            self.blocks.append(blocks)
        self.last = Convolution(inputs, config.hidden_size, 1, act=config.act)

    def forward(self, pixels: Tensor) -> Tensor:
        return convolutions.rows(self.last(self.blocks(self.stem(pixels))))


def towers(config: Config, task: str, image_size: Size | None = None) -> dict[str, Tower]:
    """The image tower; `image_size` is what preprocessing makes."""
    vision.check_task("mobilenet_v3", task, TASKS)
    trunk = MobileTrunk(config)
    length, wide = convolutions.length(trunk, image_size), KINDS[config.size][2]
    head = (wide, config.act)
    return convolutions.tower(trunk, config, config.hidden_size, task, length, dense=head)


def sanitize(
    tensors: Mapping[str, LazyTensor], config: Config, task: str, image_size: Any = None
) -> dict[str, LazyTensor]:
    """Names and layouts of `timm_layout` to those of the tower, norms folded into convolutions."""
    kept = convolutions.kept(tensors, task, "mobilenet_v3")
    folded = convolutions.folded(kept, config.layer_norm_eps)
    linear = weights.transform(folded, r"(\.conv_|^conv_head).*weight$", convolutions.flat)
    return weights.rename(
        linear,
        [(r"^conv_head\.", "image.head.dense."), (r"^(stem|blocks|last)\.", r"image.trunk.\1.")],
    )
