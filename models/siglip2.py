"""SigLIP 2 that keeps the proportions of images (NaFlex; Tschannen et al., 2025): SigLIP whose positions
are stretched to the patches of each image."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import any_size, siglip, vision, weights
from satchel.models.encoder import Tower
from satchel.models.layers import LayerNorm
from satchel.models.vision_config import CHANNELS, Size, wrong

TASKS = siglip.TASKS
MOST_PATCHES = 1 << 14
facts = siglip.facts


@dataclass(frozen=True, kw_only=True)
class Siglip2TextConfig(siglip.SiglipTextConfig):
    """text_config of model_type siglip2."""


@dataclass(frozen=True, kw_only=True)
class Siglip2VisionConfig(siglip.SiglipVisionConfig):
    """vision_config of model_type siglip2: positions of a square of `num_patches`."""

    KEYS: ClassVar[dict[str, tuple[str, ...]]] = {"image_size": ()}

    patch_size: int = 16
    num_patches: int = 256

    def __post_init__(self) -> None:
        count = self.num_patches
        if not 1 <= count <= MOST_PATCHES or math.isqrt(count) ** 2 != count:
            raise wrong(f"num_patches = {count}; expected a square, {MOST_PATCHES} at most")
        super().__post_init__()

    @property
    def pixels(self) -> Size:
        side = math.isqrt(self.num_patches) * self.patch_size
        return side, side


@dataclass(frozen=True, kw_only=True)
class Config(siglip.Config):
    """config.json of model_type siglip2."""

    text: Siglip2TextConfig
    vision: Siglip2VisionConfig


class SmoothTrunk(any_size.AnySizeTrunk):
    """pixel_values of any size to states, without a token before the patches."""

    def stretched(self, table: Tensor, after: Size) -> Tensor:
        """Bilinear, and where a grid becomes smaller the mean of more positions."""
        rows, columns = (_shares(was, now) for was, now in zip(self.before, after, strict=True))
        grid = rows @ table.unflatten(0, self.before).flatten(1)  # [rows, before * hidden]
        return (columns @ grid.unflatten(1, (self.before[1], -1))).flatten(0, 1)


def _shares(before: int, after: int) -> Tensor:
    """float32 [after, before]: how much of each old place is in each new one."""
    places = torch.arange(after, dtype=torch.float32)[:, None]
    scale = before / torch.ones_like(places).sum()
    middle = (places + 0.5) * scale - 0.5
    apart = (torch.arange(before, dtype=torch.float32) - middle).abs()
    shares = (1 - apart / scale.clamp(min=1)).clamp(min=0)
    return shares / shares.sum(-1, keepdim=True)


def towers(config: Config, task: str, image_size: Size | None = None) -> dict[str, Tower]:
    """The towers of `task`; `image_size` is what preprocessing makes, None where images differ."""
    vision.check_task("siglip2", task, TASKS)
    part = config.vision
    norm = LayerNorm(part.hidden_size, part.layer_norm_eps)
    trunk = SmoothTrunk(part, vision.plain_blocks(part, part.intermediate_size), norm, first=0)
    head, answer, width = siglip.image_head(config, task)
    image = Tower(trunk, head, input_names=("pixel_values",), hidden_size=part.hidden_size)
    batch = any_size.batch(image_size)
    length = math.prod(part.grid(image_size)) if image_size else "length"
    image.outputs = {
        "last_hidden_state": [batch, length, part.hidden_size],
        answer: [batch, width],
    }
    return (
        {"image": image}
        if task != TASKS[0]
        else {"text": siglip.text_tower(config), "image": image}
    )


def sanitize(
    tensors: Mapping[str, LazyTensor],
    config: Config,
    task: str,
    image_size: Size | None = None,
) -> dict[str, LazyTensor]:
    """Checkpoint names and layouts to those of the towers, ``text.`` and ``image.``."""

    def planes(kernel: Tensor) -> Tensor:
        """Channels are last in the patches of these files."""
        return kernel.unflatten(1, (*config.vision.patch, CHANNELS)).permute(0, 3, 1, 2).flatten(1)

    named = siglip.sanitize(tensors, config, task)
    return weights.transform(named, r"^image\..*\.patch_proj\.weight$", planes)
