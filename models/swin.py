"""Swin (Liu et al., 2021): attention within windows, which every other block shifts, in stages of fewer
and wider cells."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch.nn.functional as F
from torch import Tensor, nn

from satchel.checkpoints.config_keys import NEUTRAL
from satchel.checkpoints.tensors import LazyTensor
from satchel.models import attend, convolutions, vision
from satchel.models.convolutions import ConvConfig
from satchel.models.encoder import Tower
from satchel.models.layers import MLP, LayerNorm, Linear
from satchel.models.relative import GridBias
from satchel.models.vision import VisionBlock, VisionStack
from satchel.models.vision_config import Size, TowerConfig, wrong
from satchel.models.windows import Cells, Windows, merging
from satchel.runtime.errors import UnsupportedError, shown

TASKS = convolutions.TASKS
EPS = 1e-5  # of the norms between stages
RENAMED = (
    (r"^embeddings\.patch_embeddings\.projection\.", "trunk.patches."),
    (r"^embeddings\.norm\.", "trunk.first_norm."),
    (r"^encoder\.layers\.(\d+)\.blocks\.", r"trunk.stages.\1.layers."),
    (r"^encoder\.layers\.(\d+)\.downsample\.", r"trunk.stages.\1.merge."),
    (r"^layernorm\.", "trunk.norm."),
    (r"^classifier\.", "head.classifier."),
    (r"\.attention\.self\.relative_position_bias_table$", ".self_attn.relative.weight"),
    (r"\.attention\.self\.", ".self_attn."),
    (r"\.attention\.output\.dense\.", ".self_attn.o_proj."),
    (r"\.layernorm_before\.", ".input_layernorm."),
    (r"\.layernorm_after\.", ".post_attention_layernorm."),
    (r"\.intermediate\.dense\.", ".mlp.up_proj."),
    (r"\.output\.dense\.", ".mlp.down_proj."),
    (r"^", "image."),
)
LEFT_OUT = r"\.relative_(position_index|coords_table)$|^embeddings\.mask_token$"


@dataclass(frozen=True, kw_only=True)
class Config(ConvConfig):
    """config.json of model_type swin."""

    KEYS: ClassVar[dict[str, tuple[str, ...]]] = {
        "num_heads": ("num_heads", "num_attention_heads"),
    }
    cosmetic: ClassVar[frozenset[str]] = ConvConfig.cosmetic | {
        "attention_probs_dropout_prob",
        "encoder_stride",
        "hidden_dropout_prob",
        "hidden_size",  # this and the next two: it follows from others
        "num_hidden_layers",
        "num_layers",
    }
    neutral: ClassVar[dict[str, tuple[Any, ...]]] = NEUTRAL | {"use_absolute_embeddings": (False,)}
    model_type: ClassVar[str] = "swin"

    embed_dim: int = 96
    depths: list[int] = field(default_factory=lambda: [2, 2, 6, 2])
    num_heads: list[int] = field(default_factory=lambda: [3, 6, 12, 24])
    window_size: int = 7
    patch_size: int = 4
    mlp_ratio: float = 4.0
    qkv_bias: bool = True
    hidden_act: str = "gelu"
    layer_norm_eps: float = 1e-5

    def __post_init__(self) -> None:
        super().__post_init__()
        convolutions.check_stages(self.depths, self.hidden_sizes)
        self.check_sizes()
        if len(self.num_heads) != len(self.depths):
            raise wrong(f"num_heads = {shown(self.num_heads)} for {len(self.depths)} stages")
        for name, most in (("window_size", 64), ("patch_size", 64), ("mlp_ratio", 64)):
            if not 1 <= getattr(self, name) <= most:
                raise wrong(f"{name} = {getattr(self, name)}; expected a number in 1..{most}")

    @property
    def hidden_sizes(self) -> list[int]:
        """Channels of each stage."""
        return [self.embed_dim << stage for stage in range(len(self.depths))]

    @property
    def hidden_size(self) -> int:
        """Channels of the last states."""
        return self.hidden_sizes[-1]

    def block(self, stage: int) -> TowerConfig:
        """The sizes of a stage's blocks."""
        return TowerConfig(
            hidden_size=self.hidden_sizes[stage],
            num_attention_heads=self.num_heads[stage],
            hidden_act=self.hidden_act,
            layer_norm_eps=self.layer_norm_eps,
        )

    def windows(self, stage: int, grid: Size) -> tuple[int, int]:
        """The sides of a stage's windows, and how far they are shifted."""
        if min(grid) < self.window_size:
            raise UnsupportedError(
                f"images of this size have {min(grid)} cells along a side of stage {stage + 1}, fewer "
                f"than window_size = {self.window_size}"
            )
        return self.window_size, self.window_size // 2 if min(grid) > self.window_size else 0


class WindowAttention(nn.Module):
    """Attention within windows, with a bias by distance."""

    def __init__(self, config: TowerConfig, windows: Windows) -> None:
        super().__init__()
        size, self.num_heads = config.hidden_size, config.num_attention_heads
        self.scale = (size // self.num_heads) ** -0.5
        self.windows = windows
        self.qkv_proj, self.o_proj = Linear(size, 3 * size), Linear(size, size)
        self.relative = GridBias(self.num_heads, windows.places)

    def forward(self, x: Tensor, bias: Tensor | None = None) -> Tensor:
        query, key, value = self.qkv_proj(self.windows.split(x)).chunk(3, dim=-1)
        bias = self.windows.masked(self.relative(), x.shape[0])
        query, key = self.compared(query, key)
        attended = attend.attention(query, key, value, self.num_heads, self.scale, bias)
        return self.windows.join(self.o_proj(attended))

    def compared(self, query: Tensor, key: Tensor) -> tuple[Tensor, Tensor]:
        """What the scores are products of."""
        return query, key


class SwinBlock(VisionBlock):
    """A block whose attention is within windows."""

    def __init__(self, config: TowerConfig, wide: int, windows: Windows) -> None:
        super().__init__(config, MLP(config.hidden_size, wide, config.hidden_act))
        self.self_attn = WindowAttention(config, windows)  # type: ignore[assignment]


class Merge(nn.Module):
    """Four cells as one that is twice as wide."""

    def __init__(self, size: int, grid: Size) -> None:
        super().__init__()
        self.cells = Cells(merging(grid), grid[0] * grid[1])
        self.norm = LayerNorm(4 * size, EPS)
        self.reduction = Linear(4 * size, 2 * size, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.reduction(self.norm(self.joined(x)))

    def joined(self, x: Tensor) -> Tensor:
        """[batch, cells, size] to [batch, a quarter of the cells, 4 * size]."""
        return self.cells(x).unflatten(1, (-1, 4)).flatten(2)


class SwinStage(VisionStack):
    """Blocks, and what makes the cells of the next stage of theirs."""

    def __init__(self, blocks: list[VisionBlock], merge: Merge | None) -> None:
        super().__init__(blocks, None)
        self.merge = merge

    def forward(self, x: Tensor) -> Tensor:
        x = self.run(x)
        return x if self.merge is None else self.merge(x)


class SwinTrunk(nn.Module):
    """pixel_values [batch, channels, height, width] to states [batch, length, hidden]."""

    block: ClassVar[type[SwinBlock]] = SwinBlock
    merge: ClassVar[type[Merge]] = Merge
    hidden: ClassVar[int] = 1  # how many times what a shift brings together is hidden

    def __init__(self, config: Config, pixels: Size) -> None:
        super().__init__()
        patch = config.patch_size
        self.padding = [0, -pixels[1] % patch, 0, -pixels[0] % patch]
        self.patches = nn.Conv2d(3, config.embed_dim, patch, patch)
        self.first_norm = LayerNorm(config.embed_dim, EPS)
        self.stages = nn.ModuleList()
        grid = -(-pixels[0] // patch), -(-pixels[1] // patch)
        for stage, depth in enumerate(config.depths):
            part, wide = config.block(stage), int(config.mlp_ratio * config.hidden_sizes[stage])
            side, shift = config.windows(stage, grid)
            windows = [Windows(grid, side, 0)]
            windows.append(Windows(grid, side, shift, self.hidden) if shift else windows[0])
            blocks: list[VisionBlock] = [
                self.block(part, wide, windows[place % 2]) for place in range(depth)
            ]
            last = stage + 1 == len(config.depths)
            self.stages.append(
                SwinStage(blocks, None if last else self.merge(part.hidden_size, grid))
            )
            self.length = grid[0] * grid[1]
            grid = (grid[0] + 1) // 2, (grid[1] + 1) // 2
        self.norm = LayerNorm(config.hidden_size, config.layer_norm_eps)

    def forward(self, pixels: Tensor) -> Tensor:
        padded = F.pad(pixels, self.padding) if any(self.padding) else pixels
        x = self.first_norm(convolutions.rows(self.patches(padded)))
        for stage in self.stages:
            x = stage(x)
        return self.norm(x)


def towers(
    config: Config, task: str, image_size: Size | None = None, kind: type[SwinTrunk] = SwinTrunk
) -> dict[str, Tower]:
    """The image tower; `image_size` is what preprocessing makes."""
    vision.check_task(config.model_type, task, TASKS)
    pixels = image_size or convolutions.USUAL
    trunk = kind(config, pixels)
    return convolutions.tower(trunk, config, config.hidden_size, task, trunk.length)


def sanitize(
    tensors: Mapping[str, LazyTensor],
    config: Config,
    task: str,
    image_size: Size | None = None,
    unbiased: Sequence[str] | None = None,
) -> dict[str, LazyTensor]:
    """Checkpoint names and layouts to those of the tower."""
    if unbiased is None:
        unbiased = () if config.qkv_bias else ("query", "key", "value")
    prefix = rf"^{config.model_type}\."
    return vision.alone(tensors, task, prefix, LEFT_OUT, RENAMED, unbiased)
