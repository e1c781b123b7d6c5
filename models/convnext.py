"""ConvNeXt (Liu et al., 2022): a wide convolution channel by channel, then an MLP over channels."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import Tensor, nn

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import convolutions, vision, weights
from satchel.models.convolutions import StagedConfig
from satchel.models.encoder import Tower
from satchel.models.layers import MLP, LayerNorm
from satchel.models.vision_config import Size, wrong

TASKS = convolutions.TASKS
EPS = 1e-6  # of every norm but the last
KERNEL, WIDER = 7, 4
RENAMED = (
    (r"^embeddings\.patch_embeddings\.", "image.trunk.stem."),
    (r"^embeddings\.layernorm\.", "image.trunk.norm."),
    (r"^encoder\.stages\.(\d+)\.layers\.", r"image.trunk.stages.\1.blocks."),
    (r"^encoder\.stages\.(\d+)\.downsampling_layer\.0\.", r"image.trunk.stages.\1.norm."),
    (r"^encoder\.stages\.(\d+)\.downsampling_layer\.1\.", r"image.trunk.stages.\1.shrink."),
    (r"^layernorm\.", "image.head.norm."),
    (r"\.dwconv\.", ".depthwise."),
    (r"\.layernorm\.", ".norm."),
    (r"\.pwconv1\.", ".mlp.up_proj."),
    (r"\.pwconv2\.", ".mlp.down_proj."),
    (r"\.grn\.", ".mlp."),
)


@dataclass(frozen=True, kw_only=True)
class Config(StagedConfig):
    """config.json of model_type convnext."""

    KEYS: ClassVar[dict[str, tuple[str, ...]]] = {"num_stages": ("num_stages", "num_hidden_layers")}
    model_type: ClassVar[str] = "convnext"

    hidden_sizes: list[int] = field(default_factory=lambda: [96, 192, 384, 768])
    depths: list[int] = field(default_factory=lambda: [3, 3, 9, 3])
    hidden_act: str = "gelu"
    layer_norm_eps: float = 1e-12
    layer_scale_init_value: float = 1e-6
    num_stages: int = 4
    patch_size: int = 4

    def __post_init__(self) -> None:
        super().__post_init__()
        self.check_sizes()
        if self.num_stages != len(self.depths):
            raise wrong(
                f"num_stages = {self.num_stages}, but depths has {len(self.depths)} entries"
            )
        if not 1 <= self.patch_size <= 64:
            raise wrong(f"patch_size = {self.patch_size}; expected a number in 1..64")

    def mlp(self, size: int) -> nn.Module:
        """The MLP of a block."""
        return MLP(size, WIDER * size, self.hidden_act)


class ConvNextBlock(nn.Module):
    """``x + mlp(norm(depthwise(x)))`` of [batch, channels, height, width]."""

    def __init__(self, size: int, mlp: nn.Module) -> None:
        super().__init__()
        self.depthwise = nn.Conv2d(size, size, KERNEL, padding=KERNEL // 2, groups=size)
        self.norm = LayerNorm(size, EPS)
        self.mlp = mlp

    def forward(self, x: Tensor) -> Tensor:
        mixed: Tensor = self.mlp(self.norm(convolutions.rows(self.depthwise(x))))
        return x + mixed.mT.unflatten(2, x.shape[2:])


class ConvNextStage(nn.Module):
    """Fewer and wider cells, unless the stage is the first, then blocks."""

    def __init__(self, inputs: int | None, outputs: int, blocks: list[ConvNextBlock]) -> None:
        super().__init__()
        self.norm = None if inputs is None else LayerNorm(inputs, EPS)
        self.shrink = None if inputs is None else nn.Conv2d(inputs, outputs, 2, 2)
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        if self.norm is not None and self.shrink is not None:
            x = self.shrink(_normed(self.norm, x))
        found: Tensor = self.blocks(x)
        return found


class ConvNextTrunk(nn.Module):
    """pixel_values [batch, channels, height, width] to states [batch, length, hidden]."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, config.hidden_sizes[0], config.patch_size, config.patch_size)
        self.norm = LayerNorm(config.hidden_sizes[0], EPS)
        self.stages = nn.Sequential()
        inputs: int | None = None
        for outputs, depth in zip(config.hidden_sizes, config.depths, strict=True):
            blocks = [ConvNextBlock(outputs, config.mlp(outputs)) for _ in range(depth)]
            self.stages.append(ConvNextStage(inputs, outputs, blocks))
            inputs = outputs

    def forward(self, pixels: Tensor) -> Tensor:
        return convolutions.rows(self.stages(_normed(self.norm, self.stem(pixels))))


def towers(config: Config, task: str, image_size: Size | None = None) -> dict[str, Tower]:
    """The image tower; `image_size` is what preprocessing makes."""
    vision.check_task(config.model_type, task, TASKS)
    trunk, eps = ConvNextTrunk(config), config.layer_norm_eps
    length = convolutions.length(trunk, image_size)
    return convolutions.tower(trunk, config, config.hidden_size, task, length, eps)


def sanitize(
    tensors: Mapping[str, LazyTensor], config: Config, task: str, image_size: Any = None
) -> dict[str, LazyTensor]:
    """Checkpoint names and layouts to those of the tower."""
    renamed = weights.rename(convolutions.kept(tensors, task, config.model_type), RENAMED)
    if config.layer_scale_init_value <= 0:
        return renamed
    blocks = [
        f"image.trunk.stages.{stage}.blocks.{block}."
        for stage, depth in enumerate(config.depths)
        for block in range(depth)
    ]
    return vision.layer_scaled(renamed, blocks, {"layer_scale_parameter": "mlp.down_proj"})


def _normed(norm: LayerNorm, x: Tensor) -> Tensor:
    """The norm over channels."""
    return norm(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
