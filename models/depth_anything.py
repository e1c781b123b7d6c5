"""Depth Anything (Yang et al., 2024): DINOv2, and from the states of several of its blocks how far away
each pixel is. Its images keep their proportions."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar, Self

from torch import Tensor

from satchel.checkpoints.config_keys import COSMETIC, NEUTRAL
from satchel.checkpoints.tensors import LazyTensor
from satchel.models import any_size, dinov2, vision, weights
from satchel.models.any_size import AnySizeTrunk
from satchel.models.config import ModelConfig
from satchel.models.dpt_neck import DepthHead, DepthNeck
from satchel.models.encoder import Tower
from satchel.models.layers import LayerNorm
from satchel.models.vision import VisionBlock
from satchel.models.vision_config import BACKBONE, Size, sides, wrong
from satchel.runtime.errors import UnsupportedError, shown

TASKS = ("depth-estimation",)
MOST_CHANNELS, MOST_FACTOR = 1 << 14, 32
RENAMED = (
    (r"^neck\.reassemble_stage\.layers\.", "image.head.parts."),
    (r"^neck\.convs\.(\d+)\.", r"image.head.parts.\1.convolution."),
    (r"^neck\.fusion_stage\.layers\.", "image.head.fused."),
    (r"^head\.", "image.head.head."),
)


@dataclass(frozen=True, kw_only=True)
class StatesConfig(dinov2.Config):
    """backbone_config: a DINOv2 of which the states behind some blocks count; 0 is before the first."""

    KEYS: ClassVar[dict[str, tuple[str, ...]]] = {
        "out_indices": ("out_indices", "_out_indices"),
        "out_features": ("out_features", "_out_features"),
    }
    cosmetic: ClassVar[frozenset[str]] = dinov2.Config.cosmetic - (
        BACKBONE & {"apply_layernorm", "reshape_hidden_states"}
    )

    out_indices: list[int] | None = None
    out_features: list[str] | None = None
    apply_layernorm: bool = True
    reshape_hidden_states: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.reshape_hidden_states:
            raise UnsupportedError(
                "config.json: reshape_hidden_states = True of backbone_config is not supported; "
                "depth_anything reads states with their class token"
            )
        names = [f"stage{index}" if index else "stem" for index in self.blocks]
        count = self.num_hidden_layers
        rising = self.blocks == sorted({*self.blocks}) and {*self.blocks} <= {*range(count + 1)}
        if not rising or count not in self.blocks:
            raise wrong(
                f"out_indices = {shown(self.blocks)}; expected some of 0..{count}, with the last"
            )
        if None not in (self.out_indices, self.out_features) and names != self.out_features:
            raise wrong(f"out_features = {shown(self.out_features)} are not those of out_indices")

    @property
    def blocks(self) -> list[int]:
        """Behind which blocks the states count."""
        if self.out_indices is not None:
            return self.out_indices
        known = ["stem", *(f"stage{index + 1}" for index in range(self.num_hidden_layers))]
        names = self.out_features if self.out_features is not None else known[-1:]
        return [known.index(name) if name in known else -1 for name in names]


@dataclass(frozen=True, kw_only=True)
class Config(ModelConfig):
    """config.json of model_type depth_anything."""

    parts: ClassVar[frozenset[str]] = frozenset({"backbone_config"})
    cosmetic: ClassVar[frozenset[str]] = COSMETIC | {"use_pretrained_backbone"}
    neutral: ClassVar[dict[str, tuple[Any, ...]]] = NEUTRAL | {
        "backbone_kwargs": ({},),
        "use_timm_backbone": (False,),
    }

    trunk: StatesConfig
    patch_size: int | list[int] = 14
    reassemble_hidden_size: int = 384
    reassemble_factors: list[int | float] = field(default_factory=lambda: [4.0, 2.0, 1.0, 0.5])
    neck_hidden_sizes: list[int] = field(default_factory=lambda: [48, 96, 192, 384])
    fusion_hidden_size: int = 64
    head_in_index: int = -1
    head_hidden_size: int = 32
    depth_estimation_type: str = "relative"
    max_depth: float = 1.0

    @classmethod
    def from_dict(cls, raw: dict[str, Any], ignored_keys: Collection[str] = ()) -> Self:
        nested = raw.get("backbone_config")
        kind = nested.get("model_type") if isinstance(nested, dict) else None
        if not isinstance(nested, dict) or kind != "dinov2":
            said = nested if kind is None else kind
            raise UnsupportedError(
                f"config.json: backbone_config is {shown(said)}; satchel reads a dinov2 there"
            )
        backbone = StatesConfig.from_dict(nested, ignored_keys)
        return cls.made(cls.values(raw, ignored_keys) | {"trunk": backbone})

    def __post_init__(self) -> None:
        count, size = len(self.trunk.blocks), self.trunk.hidden_size
        if sides("patch_size", self.patch_size) != self.trunk.patch:
            raise wrong(f"patch_size = {shown(self.patch_size)} is not that of backbone_config")
        if self.reassemble_hidden_size != size:
            raise wrong(
                f"reassemble_hidden_size = {self.reassemble_hidden_size} for states of {size}"
            )
        for name, most in (
            ("neck_hidden_sizes", MOST_CHANNELS),
            ("reassemble_factors", MOST_FACTOR),
        ):
            value = getattr(self, name)
            if len(value) != count or not all(1 / most <= one <= most for one in value):
                raise wrong(f"{name} = {shown(value)}; expected {count} numbers up to {most}")
        if any(one > 1 and one != int(one) for one in self.reassemble_factors):
            raise wrong(
                f"reassemble_factors = {shown(self.reassemble_factors)}; those above 1 are whole"
            )
        for name in ("fusion_hidden_size", "head_hidden_size"):
            if not 2 <= getattr(self, name) <= MOST_CHANNELS:
                raise wrong(f"{name} = {getattr(self, name)} makes no sense")
        if not -count <= self.head_in_index < count:
            raise wrong(f"head_in_index = {self.head_in_index} of {count} fused states")
        if self.depth_estimation_type not in ("relative", "metric"):
            raise wrong(f"depth_estimation_type = {shown(self.depth_estimation_type)} is unknown")

    @property
    def hidden_size(self) -> int:
        """Channels of a state."""
        return self.trunk.hidden_size


class SomeStates(AnySizeTrunk):
    """pixel_values to the states behind some of the blocks, each normed where there is a norm."""

    def __init__(self, config: StatesConfig) -> None:
        blocks = [
            VisionBlock(config, config.mlp(), config.qkv_bias)
            for _ in range(config.num_hidden_layers)
        ]
        norm = LayerNorm(config.hidden_size, config.layer_norm_eps)
        super().__init__(config, blocks, norm if config.apply_layernorm else None)
        self.wanted = config.blocks

    def all_states(self, pixels: Tensor) -> list[Tensor]:
        """Each [batch, 1 + rows * columns, hidden]."""
        x, residual, found = self.embedded(pixels), None, []
        for number in range(self.wanted[-1] + 1):
            if number:
                x, residual = self.layers[number - 1](x, residual, None)
            if number in self.wanted and self.norm is not None:
                found.append(self.norm.add(x, residual)[0])
            elif number in self.wanted:
                found.append(x if residual is None else x + residual)
        return found


class DepthTower(Tower):
    """A tower whose head reads the patches of several states."""

    def forward(self, *inputs: Tensor) -> list[Tensor]:
        [pixels], trunk = inputs, self.trunk
        assert isinstance(trunk, SomeStates) and self.head is not None
        states, grid = trunk.all_states(pixels), trunk.grid(pixels)
        size = tuple(side * patch for side, patch in zip(grid, trunk.patches.patch, strict=True))
        return [states[-1], self.head([x[:, 1:] for x in states], grid, size)]


def towers(config: Config, task: str, image_size: Size | None = None) -> dict[str, Tower]:
    """The image tower; `image_size` is what preprocessing makes, None where images differ in size."""
    vision.check_task("depth_anything", task, TASKS)
    width, states = config.fusion_hidden_size, config.trunk
    metric = config.depth_estimation_type == "metric"
    head = DepthHead(width, config.head_hidden_size, metric, config.max_depth)
    neck = DepthNeck(
        config.hidden_size,
        config.neck_hidden_sizes,
        config.reassemble_factors,
        width,
        head,
        config.head_in_index,
    )
    tower = DepthTower(
        SomeStates(states),
        neck,
        input_names=("pixel_values",),
        hidden_size=config.hidden_size,
        answer_name="depth",
    )
    grid = states.grid(image_size) if image_size else None
    places = 1 + grid[0] * grid[1] if grid else "places"
    patch = zip(grid, states.patch, strict=True) if grid else ()
    tower.outputs = {
        "last_hidden_state": [any_size.batch(image_size), places, config.hidden_size],
        "depth": [any_size.batch(image_size), *(a * b for a, b in patch)],
    }
    if grid is None:
        tower.outputs["depth"] += ["rows", "columns"]
    return {"image": tower}


def sanitize(
    tensors: Mapping[str, LazyTensor],
    config: Config,
    task: str,
    image_size: Size | None = None,
) -> dict[str, LazyTensor]:
    """Checkpoint names and layouts to those of the tower."""
    kept = vision.dropped(tensors, r"^neck\.fusion_stage\.layers\.0\.residual_layer1\.")
    if not config.trunk.apply_layernorm:
        kept = vision.dropped(kept, r"^backbone\.layernorm\.")
    rest = weights.rename(vision.dropped(kept, r"^backbone\."), RENAMED)
    states = {name: tensor for name, tensor in kept.items() if name.startswith("backbone.")}
    named = weights.rename(states, [(r"^backbone\.", "")])
    return dinov2.sanitize(named, config.trunk, "image-embed") | rest
