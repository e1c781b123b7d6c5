"""SegFormer (Xie et al., 2021): stages without positions, whose attention has fewer keys than queries,
and a label for each place from the states of all."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from satchel.checkpoints.config_keys import NEUTRAL
from satchel.checkpoints.tensors import LazyTensor
from satchel.models import attend, convolutions, ops, vision, weights
from satchel.models.convolutions import ConvConfig
from satchel.models.encoder import Tower
from satchel.models.layers import LayerNorm, Linear
from satchel.models.vision_config import CHANNELS, Size, wrong
from satchel.runtime.errors import UnsupportedError, shown

TASKS = ("image-embed", "image-classify", "image-segment")
EPS = 1e-5  # of all norms, whatever config.json says
RENAMED = (  # of both layouts: that of older files, and the names of transformers 5
    (r"^encoder\.patch_embeddings\.(\d+)\.", r"stages.\1.patch_embeddings."),
    (r"^encoder\.block\.(\d+)\.", r"stages.\1.blocks."),
    (r"^encoder\.layer_norm\.(\d+)\.", r"stages.\1.layer_norm."),
    (r"^stages\.(\d+)\.layer_norm\.", r"trunk.stages.\1.norm."),
    (r"^stages\.(\d+)\.patch_embeddings\.layer_norm\.", r"trunk.stages.\1.first_norm."),
    (r"^stages\.(\d+)\.patch_embeddings\.proj\.", r"trunk.stages.\1.patches."),
    (r"^stages\.(\d+)\.blocks\.", r"trunk.stages.\1.layers."),
    (r"\.attention\.self\.sr\.", ".self_attn.reduction."),
    (r"\.attention\.self\.layer_norm\.", ".self_attn.norm."),
    (r"\.attention\.sequence_reduction\.sequence_reduction\.", ".self_attn.reduction."),
    (r"\.attention\.sequence_reduction\.layer_norm\.", ".self_attn.norm."),
    (r"\.attention\.self\.(query|key|value)\.", r".self_attn.\1."),
    (r"\.attention\.q_proj\.", ".self_attn.query."),
    (r"\.attention\.k_proj\.", ".self_attn.key."),
    (r"\.attention\.v_proj\.", ".self_attn.value."),
    (r"\.attention\.(output\.dense|o_proj)\.", ".self_attn.o_proj."),
    (r"\.self_attn\.query\.", ".self_attn.q_proj."),
    (r"\.(layer_norm_1|layernorm_before)\.", ".input_layernorm."),
    (r"\.(layer_norm_2|layernorm_after)\.", ".post_attention_layernorm."),
    (r"\.mlp\.(dense1|fc1)\.", ".mlp.up_proj."),
    (r"\.mlp\.dwconv\.dwconv\.", ".mlp.mixed."),
    (r"\.mlp\.(dense2|fc2)\.", ".mlp.down_proj."),
    (r"^decode_head\.linear_(?:c|projections)\.(\d+)\.proj\.", r"head.projections.\1."),
    (r"^decode_head\.linear_fuse\.", "head.fuse.convolution."),
    (r"^decode_head\.batch_norm\.", "head.fuse.normalization."),
    (r"^(?:decode_head\.)?classifier\.", "head.classifier."),
    (r"^", "image."),
)


@dataclass(frozen=True, kw_only=True)
class Config(ConvConfig):
    """config.json of model_type segformer."""

    KEYS: ClassVar[dict[str, tuple[str, ...]]] = {
        "num_encoder_blocks": ("num_encoder_blocks", "num_hidden_layers"),
        "heads": ("num_attention_heads",),
    }
    cosmetic: ClassVar[frozenset[str]] = ConvConfig.cosmetic | {
        "attention_probs_dropout_prob",
        "classifier_dropout_prob",
        "hidden_dropout_prob",
        "layer_norm_eps",  # no release reads it
        "semantic_loss_ignore_index",
    }
    neutral: ClassVar[dict[str, tuple[Any, ...]]] = NEUTRAL | {"reshape_last_stage": (True,)}
    model_type: ClassVar[str] = "segformer"

    num_encoder_blocks: int = 4
    depths: list[int] = field(default_factory=lambda: [2, 2, 2, 2])
    sr_ratios: list[int] = field(default_factory=lambda: [8, 4, 2, 1])
    hidden_sizes: list[int] = field(default_factory=lambda: [32, 64, 160, 256])
    patch_sizes: list[int] = field(default_factory=lambda: [7, 3, 3, 3])
    strides: list[int] = field(default_factory=lambda: [4, 2, 2, 2])
    heads: list[int] = field(default_factory=lambda: [1, 2, 5, 8])
    mlp_ratios: list[int] = field(default_factory=lambda: [4, 4, 4, 4])
    decoder_hidden_size: int = 256
    hidden_act: str = "gelu"

    def __post_init__(self) -> None:
        super().__post_init__()
        convolutions.check_stages(self.depths, self.hidden_sizes)
        self.check_sizes()
        for name in ("sr_ratios", "patch_sizes", "strides", "heads", "mlp_ratios"):
            value = getattr(self, name)
            if len(value) != len(self.depths) or not all(1 <= one <= 64 for one in value):
                raise wrong(f"{name} = {shown(value)}; expected a number in 1..64 for each stage")
        if not 1 <= self.decoder_hidden_size <= convolutions.MOST_CHANNELS:
            raise wrong(f"decoder_hidden_size = {self.decoder_hidden_size} makes no sense")
        if self.num_encoder_blocks != len(self.depths):
            raise wrong(
                f"num_encoder_blocks = {self.num_encoder_blocks} for {len(self.depths)} stages"
            )
        for size, heads in zip(self.hidden_sizes, self.heads, strict=True):
            if size % heads:
                raise wrong(f"num_attention_heads = {heads} does not divide hidden_sizes = {size}")

    @property
    def hidden_size(self) -> int:
        """Channels of the last states."""
        return self.hidden_sizes[-1]

    def grids(self, pixels: Size) -> list[Size]:
        """Rows and columns of each stage."""
        grids = []
        for patch, stride, ratio in zip(
            self.patch_sizes, self.strides, self.sr_ratios, strict=True
        ):
            pixels = tuple((side + patch // 2 * 2 - patch) // stride + 1 for side in pixels)  # type: ignore[assignment]
            if min(pixels) < ratio:
                raise wrong(
                    f"sr_ratios = {shown(self.sr_ratios)}: a stage has {min(pixels)} places along a "
                    "side; images are too small for this model"
                )
            grids.append(pixels)
        return grids


class ReducedAttention(nn.Module):
    """Attention whose keys and values stand for squares of `ratio` x `ratio` places."""

    def __init__(self, size: int, num_heads: int, grid: Size, ratio: int) -> None:
        super().__init__()
        self.num_heads, self.scale, self.grid = num_heads, (size // num_heads) ** -0.5, grid
        self.q_proj, self.kv_proj = Linear(size, size), Linear(size, 2 * size)
        self.o_proj = Linear(size, size)
        self.reduction = nn.Conv2d(size, size, ratio, ratio) if ratio > 1 else None
        self.norm = LayerNorm(size, EPS) if ratio > 1 else None

    def forward(self, x: Tensor) -> Tensor:
        fewer = x
        if self.reduction is not None and self.norm is not None:
            fewer = self.norm(convolutions.rows(self.reduction(planes(x, self.grid))))
        key, value = self.kv_proj(fewer).chunk(2, dim=-1)
        return self.o_proj(attend.attention(self.q_proj(x), key, value, self.num_heads, self.scale))


class MixedMLP(nn.Module):
    """An MLP within which neighbours are mixed, which is all that tells where a place is."""

    def __init__(self, size: int, wide: int, act: str, grid: Size) -> None:
        super().__init__()
        self.grid, self.act = grid, act
        self.up_proj, self.down_proj = Linear(size, wide), Linear(wide, size)
        self.mixed = nn.Conv2d(wide, wide, 3, 1, 1, groups=wide)

    def forward(self, x: Tensor) -> Tensor:
        wide = convolutions.rows(self.mixed(planes(self.up_proj(x), self.grid)))
        return self.down_proj(ops.activation(self.act, wide))


class MixedBlock(nn.Module):
    """Pre-norm block; the residual stream travels beside."""

    def __init__(self, config: Config, stage: int, grid: Size) -> None:
        super().__init__()
        size, wide = config.hidden_sizes[stage], config.mlp_ratios[stage]
        heads, ratio = config.heads[stage], config.sr_ratios[stage]
        self.input_layernorm = LayerNorm(size, EPS)
        self.self_attn = ReducedAttention(size, heads, grid, ratio)
        self.post_attention_layernorm = LayerNorm(size, EPS)
        self.mlp = MixedMLP(size, wide * size, config.hidden_act, grid)

    def forward(self, x: Tensor, residual: Tensor | None) -> tuple[Tensor, Tensor]:
        hidden, residual = self.input_layernorm.add(x, residual)
        hidden, residual = self.post_attention_layernorm.add(self.self_attn(hidden), residual)
        return self.mlp(hidden), residual


class MixedStage(nn.Module):
    """Overlapping patches of the stage before, blocks, and a norm."""

    def __init__(self, config: Config, stage: int, grid: Size) -> None:
        super().__init__()
        sizes = [CHANNELS, *config.hidden_sizes]
        patch, stride = config.patch_sizes[stage], config.strides[stage]
        self.grid = grid
        self.patches = nn.Conv2d(sizes[stage], sizes[stage + 1], patch, stride, patch // 2)
        self.first_norm = LayerNorm(sizes[stage + 1], EPS)
        self.layers = nn.ModuleList(
            MixedBlock(config, stage, grid) for _ in range(config.depths[stage])
        )
        self.norm = LayerNorm(sizes[stage + 1], EPS)

    def forward(self, x: Tensor) -> Tensor:
        """[batch, channels, height, width] to states [batch, places, size]."""
        x, residual = self.first_norm(convolutions.rows(self.patches(x))), None
        for block in self.layers:
            x, residual = block(x, residual)
        return self.norm.add(x, residual)[0]


class StagesTrunk(nn.Module):
    """pixel_values [batch, channels, height, width] to the states of the last stage."""

    def __init__(self, config: Config, pixels: Size) -> None:
        super().__init__()
        self.pixels, self.grids = pixels, config.grids(pixels)
        self.stages = nn.ModuleList(
            MixedStage(config, stage, grid) for stage, grid in enumerate(self.grids)
        )

    def forward(self, pixels: Tensor) -> Tensor:
        return self.all_states(pixels)[-1]

    def all_states(self, pixels: Tensor) -> list[Tensor]:
        """The states of every stage."""
        if tuple(pixels.shape[2:]) != self.pixels:
            raise ValueError(f"pixel_values are {list(pixels.shape)}, not of {self.pixels}")
        states: list[Tensor] = []
        for stage, grid in zip(self.stages, [(0, 0), *self.grids], strict=False):
            states.append(stage(planes(states[-1], grid) if states else pixels))
        return states


class PlacesHead(nn.Module):
    """States of all stages to scores [batch, rows, columns, labels] of the first stage's places."""

    def __init__(self, config: Config, grids: list[Size]) -> None:
        super().__init__()
        wide = config.decoder_hidden_size
        self.grids = grids
        self.projections = nn.ModuleList(Linear(size, wide) for size in config.hidden_sizes)
        self.fuse = Linear(wide * len(grids), wide)
        self.classifier = Linear(wide, len(config.labels.names))

    def forward(self, states: list[Tensor]) -> Tensor:
        parts = []
        for projection, x, grid in zip(self.projections, states, self.grids, strict=True):
            x = projection(x)
            if grid != self.grids[0]:
                x = convolutions.rows(
                    F.interpolate(planes(x, grid), self.grids[0], mode="bilinear")
                )
            parts.append(x)
        fused = self.fuse(torch.cat(parts[::-1], -1)).relu()
        return self.classifier(fused).unflatten(1, self.grids[0])


class SegmentTower(Tower):
    """A tower whose head reads the states of every stage."""

    def forward(self, *inputs: Tensor) -> list[Tensor]:
        assert isinstance(self.trunk, StagesTrunk) and self.head is not None
        states = self.trunk.all_states(*inputs)
        return [states[-1], self.head(states)]


def planes(x: Tensor, grid: Size) -> Tensor:
    """States [batch, height * width, channels] to [batch, channels, height, width]."""
    return x.mT.unflatten(2, grid)


def towers(config: Config, task: str, image_size: Size | None = None) -> dict[str, Tower]:
    """The image tower; `image_size` is what preprocessing makes."""
    vision.check_task(config.model_type, task, TASKS)
    trunk = StagesTrunk(config, image_size or convolutions.USUAL)
    places, size = trunk.grids[-1][0] * trunk.grids[-1][1], config.hidden_size
    if task != "image-segment":
        return convolutions.tower(trunk, config, size, task, places)
    labels = len(config.labels.names)
    if labels < 2:
        raise UnsupportedError("config.json: one label alone, which every place of an image has")
    tower = SegmentTower(
        trunk,
        PlacesHead(config, trunk.grids),
        input_names=("pixel_values",),
        hidden_size=size,
        answer_name="logits",
        answer_axes=["batch", *trunk.grids[0], labels],
    )
    tower.outputs["last_hidden_state"] = ["batch", places, size]
    return {"image": tower}


def sanitize(
    tensors: Mapping[str, LazyTensor],
    config: Config,
    task: str,
    image_size: Size | None = None,
) -> dict[str, LazyTensor]:
    """Checkpoint names and layouts to those of the tower."""
    if task == "image-segment":
        if not any(name.startswith("decode_head.") for name in tensors):
            raise UnsupportedError("the checkpoint has no decode_head, which image-segment needs")
        kept = weights.rename(vision.dropped(tensors, r"^classifier\."), [(r"^segformer\.", "")])
    else:
        kept = convolutions.kept(vision.dropped(tensors, r"^decode_head\."), task, "segformer")
        kept = weights.rename(kept, [(r"^image\.head\.", "")])
    named = convolutions.folded(weights.rename(kept, RENAMED), EPS)
    flat = weights.transform(named, r"^image\.head\.(fuse|classifier)\.weight$", convolutions.flat)
    return weights.fuse(flat, ("key", "value"), "kv_proj")
