"""config.json of image models: sizes of a tower, of its images and of a classifier's labels."""

from __future__ import annotations

import typing
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from satchel.checkpoints.config_keys import COSMETIC
from satchel.models.config import ModelConfig
from satchel.models.labels import read_labels
from satchel.runtime.errors import CheckpointError, UnsupportedError, shown
from satchel.runtime.manifest import Labels

CHANNELS = 3
MOST_PIXELS = 4096  # along one side

BACKBONE = frozenset(  # keys of use as a part of another model
    [
        "_out_features",
        "_out_indices",
        "apply_layernorm",
        "drop_path_rate",
        "out_features",
        "out_indices",
        "reshape_hidden_states",
        "stage_names",
    ]
)

Size = tuple[int, int]  # height, width


@dataclass(frozen=True, kw_only=True)
class TowerConfig(ModelConfig):
    """What image towers and the text towers beside them have."""

    cosmetic: ClassVar[frozenset[str]] = COSMETIC | frozenset(
        [
            "attention_probs_dropout_prob",
            "embedding_size",
            "hidden_dropout_prob",
            "tie_word_embeddings",
        ]
    )

    hidden_size: int = 768
    num_hidden_layers: int = 12
    num_attention_heads: int = 12
    hidden_act: str = "gelu"
    layer_norm_eps: float = 1e-5

    def __post_init__(self) -> None:
        self.check_sizes()
        self.check_activation("hidden_act")
        if self.hidden_size % self.num_attention_heads:
            raise wrong(
                f"num_attention_heads = {self.num_attention_heads} does not divide "
                f"hidden_size = {self.hidden_size}"
            )


@dataclass(frozen=True, kw_only=True)
class ImageConfig(TowerConfig):
    """What every image tower has. Sizes are one number or [height, width]."""

    image_size: int | list[int] = 224
    patch_size: int | list[int] = 16
    num_channels: int = CHANNELS

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.num_channels != CHANNELS:
            raise UnsupportedError(
                f"config.json: num_channels = {self.num_channels}; satchel reads images in RGB"
            )
        self.grid(self.pixels)

    @property
    def pixels(self) -> Size:
        """Height and width of the images that the position table was made for."""
        return sides("image_size", self.image_size)

    @property
    def patch(self) -> Size:
        """Height and width of a patch."""
        return sides("patch_size", self.patch_size)

    def grid(self, pixels: Size) -> Size:
        """Rows and columns of whole patches in an image."""
        (height, width), (rows, columns) = pixels, self.patch
        if height < rows or width < columns:
            raise wrong(f"patch_size = {self.patch_size} is larger than the image {pixels}")
        return height // rows, width // columns

    def native(self, requested: Size | None) -> Size:
        """The image size to build for; other sizes than `pixels` are refused."""
        if requested not in (None, self.pixels):
            raise UnsupportedError(
                f"preprocessing makes images of {requested} pixels but the position table of "
                f"config.json is for {self.pixels}; satchel does not stretch it"
            )
        return self.pixels


@dataclass(frozen=True, kw_only=True)
class StretchedConfig(ImageConfig):
    """Of a tower whose square position table is stretched to images of any size."""

    def native(self, requested: Size | None) -> Size:
        """The image size to build for: any, from a square position table."""
        rows, columns = self.grid(self.pixels)
        if requested not in (None, self.pixels) and rows != columns:
            return super().native(requested)
        return requested or self.pixels


@dataclass(frozen=True, kw_only=True)
class Labelled(ModelConfig):
    """The keys of config.json that describe a classifier."""

    id2label: dict[str, Any] | None = None
    num_labels: int | None = None
    problem_type: str | None = None

    @property
    def labels(self) -> Labels:
        """Names of the classes and how their scores read."""
        raw = {key: getattr(self, key) for key in ("id2label", "num_labels", "problem_type")}
        stated = {key: value for key, value in raw.items() if value is not None}
        return read_labels(stated, "image-classify")


@dataclass(frozen=True, kw_only=True)
class TextConfig(TowerConfig):
    """What the text tower beside an image tower has."""

    vocab_size: int
    intermediate_size: int
    max_position_embeddings: int


@dataclass(frozen=True, kw_only=True)
class PairConfig(Labelled):
    """A config.json that nests one for texts and one for images; subclasses say of which class."""

    cosmetic: ClassVar[frozenset[str]] = TowerConfig.cosmetic

    parts: ClassVar[frozenset[str]] = frozenset(["text_config", "vision_config"])

    text: TextConfig
    vision: ImageConfig

    @classmethod
    def from_dict(cls, raw: dict[str, Any], ignored_keys: Collection[str] = ()) -> Self:
        kinds = typing.get_type_hints(cls)
        rest, parts = dict(raw), {}
        for name in ("text", "vision"):
            nested = rest.pop(f"{name}_config", None) or {}
            if not isinstance(nested, dict):
                raise wrong(f"{name}_config is not an object")
            part = {"model_type": f"{raw['model_type']}_{name}_model"}
            parts[name] = kinds[name].from_dict(nested | part, ignored_keys)
        return cls.made(cls.values(rest, ignored_keys) | parts)


def wrong(problem: str) -> CheckpointError:
    """The error for a config.json that makes no sense."""
    return CheckpointError(f"config.json: {problem}", "CKPT_CONFIG")


def sides(name: str, value: int | list[int]) -> Size:
    pair = [value, value] if isinstance(value, int) else value
    whole = all(type(side) is int and 1 <= side <= MOST_PIXELS for side in pair)
    if len(pair) != 2 or not whole:
        raise wrong(f"{name} = {shown(value)} is not one or two sizes in 1..{MOST_PIXELS}")
    return pair[0], pair[1]
