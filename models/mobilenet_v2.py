"""MobileNet V2 (Sandler et al., 2018): many channels inside of a block, each convolved by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

from torch import Tensor, nn

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import convolutions, vision, weights
from satchel.models.convolutions import ConvConfig, Convolution
from satchel.models.encoder import Tower
from satchel.models.vision_config import Size, wrong

TASKS = convolutions.TASKS
STEM, LAST = 32, 1280  # channels, as the next, where the multiplier is 1
CHANNELS = (16, 24, 24, 32, 32, 32, 64, 64, 64, 64, 96, 96, 96, 160, 160, 160, 320)
STRIDES = (2, 1, 2, 1, 1, 2, 1, 1, 1, 1, 1, 1, 2, 1, 1, 1)
MOST_WIDER = 64
RENAMED = (
    (r"^conv_stem\.first_conv\.", "image.trunk.first_conv."),
    (r"^conv_stem\.", "image.trunk.stem."),
    (r"^layer\.", "image.trunk.layers."),
    (r"^conv_1x1\.", "image.trunk.last_conv."),
)


@dataclass(frozen=True, kw_only=True)
class Config(ConvConfig):
    """config.json of model_type mobilenet_v2."""

    cosmetic: ClassVar[frozenset[str]] = ConvConfig.cosmetic | {
        "classifier_dropout_prob",
        "semantic_loss_ignore_index",
    }

    depth_multiplier: float = 1.0
    depth_divisible_by: int = 8
    expand_ratio: float = 6.0
    finegrained_output: bool = True
    first_layer_is_expansion: bool = True
    hidden_act: str = "relu6"
    layer_norm_eps: float = 0.001
    min_depth: int = 8
    output_stride: int = 32
    tf_padding: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_sizes()
        for name, most in (
            ("depth_multiplier", MOST_WIDER),
            ("expand_ratio", MOST_WIDER),
            ("depth_divisible_by", convolutions.MOST_CHANNELS),
            ("min_depth", convolutions.MOST_CHANNELS),
        ):
            if not 0 < getattr(self, name) <= most:
                raise wrong(f"{name} = {getattr(self, name)}; expected more than 0, {most} at most")

    def channels(self, count: float) -> int:
        """About so many channels: a multiple of what divides them."""
        return convolutions.near(round(count), self.depth_divisible_by, self.min_depth)

    @property
    def hidden_size(self) -> int:
        """Channels of the last states."""
        whole = self.finegrained_output and self.depth_multiplier < 1
        return LAST if whole else self.channels(LAST * self.depth_multiplier)


class InvertedBlock(nn.Module):
    """Wider, convolved channel by channel, narrower again; around it a shortcut where sizes allow."""

    def __init__(
        self, config: Config, sizes: tuple[int, int, int], stride: int, dilation: int, widens: bool
    ) -> None:
        super().__init__()
        inputs, inner, outputs = sizes
        act, late = config.hidden_act, config.tf_padding
        self.around = widens and stride == 1 and inputs == outputs
        self.expand_1x1 = Convolution(inputs, inner, 1, act=act) if widens else None
        self.conv_3x3 = Convolution(
            inner, inner, 3, stride=stride, groups=inner, dilation=dilation, act=act, late=late
        )
        self.reduce_1x1 = Convolution(inner, outputs, 1)

    def forward(self, x: Tensor) -> Tensor:
        wide = x if self.expand_1x1 is None else self.expand_1x1(x)
        found: Tensor = self.reduce_1x1(self.conv_3x3(wide))
        return x + found if self.around else found


class MobileNetTrunk(nn.Module):
    """pixel_values [batch, channels, height, width] to states [batch, length, hidden]."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        sizes = [config.channels(count * config.depth_multiplier) for count in CHANNELS]
        act, late = config.hidden_act, config.tf_padding
        stem = config.channels(STEM * config.depth_multiplier)
        self.first_conv = Convolution(3, stem, 3, stride=2, act=act, late=late)
        widens = not config.first_layer_is_expansion
        self.stem = InvertedBlock(config, (stem, stem, sizes[0]), 1, 1, widens)
        self.stem.around = False
        self.layers = nn.Sequential()
        total, dilation = 2, 1
        for (inputs, outputs), stride in zip(pairwise(sizes), STRIDES, strict=True):
            inner = config.channels(inputs * config.expand_ratio)
            # Where states are few enough, convolutions reach farther in place of steps.
            steps = 1 if total == config.output_stride else stride
            reach = dilation if total == config.output_stride else 1
            if total == config.output_stride:
                dilation *= stride
            total *= steps
            self.layers.append(InvertedBlock(config, (inputs, inner, outputs), steps, reach, True))
        self.last_conv = Convolution(sizes[-1], config.hidden_size, 1, act=act)

    def forward(self, pixels: Tensor) -> Tensor:
        x = self.layers(self.stem(self.first_conv(pixels)))
        return convolutions.rows(self.last_conv(x))


def towers(config: Config, task: str, image_size: Size | None = None) -> dict[str, Tower]:
    """The image tower; `image_size` is what preprocessing makes."""
    vision.check_task("mobilenet_v2", task, TASKS)
    trunk = MobileNetTrunk(config)
    length = convolutions.length(trunk, image_size)
    return convolutions.tower(trunk, config, config.hidden_size, task, length)


def sanitize(
    tensors: Mapping[str, LazyTensor], config: Config, task: str, image_size: Any = None
) -> dict[str, LazyTensor]:
    """Checkpoint names and layouts to those of the tower, norms folded into convolutions."""
    kept = convolutions.kept(tensors, task, "mobilenet_v2")
    return weights.rename(convolutions.folded(kept, config.layer_norm_eps), RENAMED)
