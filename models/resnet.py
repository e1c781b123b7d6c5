"""ResNet (He et al., 2015): convolutions with shortcuts around every two or three of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import torch.nn.functional as F
from torch import Tensor, nn

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import convolutions, vision, weights
from satchel.models.convolutions import Convolution, StagedConfig
from satchel.models.encoder import Tower
from satchel.models.ops import ACTIVATIONS
from satchel.models.vision_config import Size, wrong
from satchel.runtime.errors import shown

TASKS = convolutions.TASKS
EPS = 1e-5
SQUEEZED = 4  # times fewer channels inside of a bottleneck
RENAMED = (
    (r"^embedder\.embedder\.", "image.trunk.stem."),
    (r"^encoder\.stages\.(\d+)\.layers\.", r"image.trunk.stages.\1."),
)


@dataclass(frozen=True, kw_only=True)
class Config(StagedConfig):
    """config.json of model_type resnet."""

    embedding_size: int = 64
    hidden_sizes: list[int] = field(default_factory=lambda: [256, 512, 1024, 2048])
    depths: list[int] = field(default_factory=lambda: [3, 4, 6, 3])
    layer_type: str = "bottleneck"
    downsample_in_first_stage: bool = False
    downsample_in_bottleneck: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.layer_type not in ("basic", "bottleneck"):
            raise wrong(f"layer_type = {shown(self.layer_type)}; expected basic or bottleneck")
        if not 1 <= self.embedding_size <= convolutions.MOST_CHANNELS:
            raise wrong(f"embedding_size = {self.embedding_size}")

    def block(self, inputs: int, outputs: int, stride: int) -> nn.Module:
        """A block of the kind that layer_type says."""
        # Inside of a block the activation is ReLU, whatever hidden_act says.
        if self.layer_type == "basic":
            steps = [
                Convolution(inputs, outputs, 3, stride=stride, act="relu"),
                Convolution(outputs, outputs, 3),
            ]
        else:
            inner = outputs // SQUEEZED
            strides = (stride, 1) if self.downsample_in_bottleneck else (1, stride)
            steps = [
                Convolution(inputs, inner, 1, stride=strides[0], act="relu"),
                Convolution(inner, inner, 3, stride=strides[1], act="relu"),
                Convolution(inner, outputs, 1),
            ]
        plain = inputs == outputs and stride == 1
        shortcut = None if plain else Convolution(inputs, outputs, 1, stride=stride)
        return ResidualBlock(steps, shortcut, self.hidden_act)


class ResidualBlock(nn.Module):
    """``act(layer(x) + shortcut(x))``."""

    def __init__(self, steps: list[Convolution], shortcut: Convolution | None, act: str) -> None:
        super().__init__()
        self.layer = nn.Sequential(*steps)
        self.shortcut, self.act = shortcut, act

    def forward(self, x: Tensor) -> Tensor:
        around = x if self.shortcut is None else self.shortcut(x)
        return ACTIVATIONS[self.act][0](self.layer(x) + around)


class ResnetTrunk(nn.Module):
    """pixel_values [batch, channels, height, width] to states [batch, length, hidden]."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.stem = Convolution(3, config.embedding_size, 7, stride=2, act=config.hidden_act)
        self.stages = nn.ModuleList()
        inputs, stride = config.embedding_size, 1 + config.downsample_in_first_stage
        for outputs, depth in zip(config.hidden_sizes, config.depths, strict=True):
            first = config.block(inputs, outputs, stride)
            others = [config.block(outputs, outputs, 1) for _ in range(depth - 1)]
            self.stages.append(nn.Sequential(first, *others))
            inputs, stride = outputs, 2

    def forward(self, pixels: Tensor) -> Tensor:
        return convolutions.rows(self.planes(pixels))

    def planes(self, pixels: Tensor) -> Tensor:
        """What the last stage gives, [batch, channels, rows, columns]."""
        x = F.max_pool2d(self.stem(pixels), 3, 2, 1)
        for stage in self.stages:
            x = stage(x)
        return x


def towers(config: Config, task: str, image_size: Size | None = None) -> dict[str, Tower]:
    """The image tower; `image_size` is what preprocessing makes."""
    vision.check_task("resnet", task, TASKS)
    trunk = ResnetTrunk(config)
    length = convolutions.length(trunk, image_size)
    return convolutions.tower(trunk, config, config.hidden_size, task, length)


def sanitize(
    tensors: Mapping[str, LazyTensor], config: Config, task: str, image_size: Any = None
) -> dict[str, LazyTensor]:
    """Checkpoint names and layouts to those of the tower, norms folded into convolutions."""
    kept = convolutions.kept(tensors, task, "resnet", "classifier.1.")
    return weights.rename(convolutions.folded(kept, EPS), RENAMED)
