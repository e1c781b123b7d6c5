"""Swin V2 (Liu et al., 2022): norms stand behind attention and MLP, scores are cosines, and a small
network says what the bias of a distance is."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

import torch
from torch import Tensor, nn

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import ops, swin, weights
from satchel.models.encoder import Tower
from satchel.models.layers import LayerNorm
from satchel.models.swin import Merge, SwinBlock, SwinTrunk, WindowAttention
from satchel.models.vision_config import Size, TowerConfig, sides, wrong
from satchel.models.windows import Windows
from satchel.runtime.errors import shown

TASKS = swin.TASKS
LEAST = 1e-24  # what a mean square is above zero
STEEPEST, HIGHEST, FARTHEST = 100.0, 16.0, 8.0  # of a cosine, of a bias, of a distance
NETWORK = re.compile(r"(.*\.stages\.(\d+)\..*\.self_attn\.)continuous_position_bias_mlp\.0\.weight")


@dataclass(frozen=True, kw_only=True)
class Config(swin.Config):
    """config.json of model_type swinv2."""

    model_type: ClassVar[str] = "swinv2"

    image_size: int | list[int] = 224
    pretrained_window_sizes: list[int] | None = field(default_factory=lambda: [0, 0, 0, 0])

    def __post_init__(self) -> None:
        super().__post_init__()
        before = self.pretrained_window_sizes
        if before is not None and (
            len(before) < len(self.depths) or min(before) < 0 or 1 in before
        ):
            raise wrong(f"pretrained_window_sizes = {shown(before)}")
        sides("image_size", self.image_size)

    def windows(self, stage: int, grid: Size) -> tuple[int, int]:
        """The sides of a stage's windows, and how far they are shifted: by the size of images that
        config.json has, whatever the `grid` is."""
        rows = (sides("image_size", self.image_size)[0] // self.patch_size) >> stage
        if rows < 1:
            raise wrong(f"image_size = {self.image_size} leaves no cell in stage {stage + 1}")
        side = min(rows, self.window_size)
        return side, self.window_size // 2 if rows > side else 0


class CosineAttention(WindowAttention):
    """Queries and keys have unit length, and each head has a scale of its own."""

    unit: Tensor

    def __init__(self, config: TowerConfig, windows: Windows) -> None:
        super().__init__(config, windows)
        width = config.hidden_size // self.num_heads
        self.scale = 1.0
        self.logit_scale = nn.Parameter(torch.ones(self.num_heads, 1))
        gain = torch.full((width,), width**-0.5, device="cpu")
        self.register_buffer("unit", gain, persistent=False)

    def compared(self, query: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
        query, key = (
            ops.rms_norm(x.unflatten(-1, (self.num_heads, -1)), self.unit, LEAST)
            for x in (query, key)
        )
        return (query * self.logit_scale).flatten(-2), key.flatten(-2)


class SwinV2Block(SwinBlock):
    """``x + norm(attention(x))``, then so with the MLP."""

    def __init__(self, config: TowerConfig, wide: int, windows: Windows) -> None:
        super().__init__(config, wide, windows)
        self.self_attn = CosineAttention(config, windows)  # type: ignore[assignment]

    def forward(
        self, x: Tensor, residual: Tensor | None, bias: Tensor | None
    ) -> tuple[Tensor, Tensor]:
        x = x if residual is None else x + residual
        x = x + self.input_layernorm(self.self_attn(x))
        return self.post_attention_layernorm(self.mlp(x)), x


class SwinV2Merge(Merge):
    """Its norm stands behind."""

    def __init__(self, size: int, grid: Size) -> None:
        super().__init__(size, grid)
        self.norm = LayerNorm(2 * size, swin.EPS)

    def forward(self, x: Tensor) -> Tensor:
        return self.norm(self.reduction(self.joined(x)))


class SwinV2Trunk(SwinTrunk):
    """A trunk whose masks were added twice while they were trained."""

    block, merge, hidden = SwinV2Block, SwinV2Merge, 2


def towers(config: Config, task: str, image_size: Size | None = None) -> dict[str, Tower]:
    """The image tower; `image_size` is what preprocessing makes, the model's own unless given."""
    return swin.towers(config, task, image_size, SwinV2Trunk)


def sanitize(
    tensors: Mapping[str, LazyTensor], config: Config, task: str, image_size: Size | None = None
) -> dict[str, LazyTensor]:
    """Checkpoint names and layouts to those of the tower, with a table of biases from each network."""
    unbiased = ("key",) if config.qkv_bias else ("query", "key", "value")
    kept = swin.sanitize(tensors, config, task, image_size, unbiased)
    for name in list(kept):
        if found := NETWORK.fullmatch(name):
            network = found[1] + "continuous_position_bias_mlp."
            parts = [kept.get(network + part) for part in ("0.weight", "0.bias", "2.weight")]
            shapes = [part.shape for part in parts if part is not None]
            if [len(shape) for shape in shapes] != [2, 1, 2]:
                continue  # the strict load reports it
            stage = int(found[2])
            layers = [kept.pop(network + part) for part in ("0.weight", "0.bias", "2.weight")]
            kept[f"{found[1]}relative.weight"] = _table(layers, _distances(config, stage))
    return weights.transform(
        kept,
        r"\.logit_scale$",
        lambda scale: scale.clamp(max=math.log(STEEPEST)).exp().flatten(1),
    )


def _distances(config: Config, stage: int) -> Tensor:
    """float32 [distances, 2], down and right, as the network reads them: by their logarithm."""
    side, _ = config.windows(stage, (0, 0))
    before = (config.pretrained_window_sizes or [0] * len(config.depths))[stage]
    steps = torch.arange(1 - side, side, dtype=torch.float32, device="cpu")
    steps = steps * FARTHEST / max(1, (before or side) - 1)
    steps = steps.sign() * (steps.abs() + 1).log2() / math.log2(FARTHEST)
    return torch.stack(torch.meshgrid(steps, steps, indexing="ij"), -1).flatten(0, 1)


def _table(network: list[LazyTensor], distances: Tensor) -> LazyTensor:
    def load() -> Tensor:
        first, bias, second = (part.load() for part in network)
        return HIGHEST * ((distances @ first.T + bias).relu() @ second.T).sigmoid()

    return LazyTensor((len(distances), network[2].shape[0]), load)
