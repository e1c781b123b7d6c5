"""DeiT (Touvron et al., 2020): ViT with a second token, which was taught by another model.

A classifier reads the class token, or is two whose scores are averaged, one for each token: these become
one layer over both.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from satchel.checkpoints.tensors import LazyTensor
from satchel.models import vision, vit
from satchel.models.labels import saved_by
from satchel.models.vision import CLASS_TOKEN
from satchel.models.vision_config import Size

TASKS = vit.TASKS
PAIR = ("cls_classifier", "distillation_classifier")


@dataclass(frozen=True, kw_only=True)
class Config(vit.Config):
    """config.json of model_type deit."""

    KEYS: ClassVar[dict[str, tuple[str, ...]]] = {"taught": ()}
    model_type: ClassVar[str] = "deit"
    tokens: ClassVar[tuple[str, ...]] = (CLASS_TOKEN, "image.embeddings.distillation_token")

    taught: bool = False  # whether both tokens have a classifier

    @classmethod
    def from_dict(cls, raw: dict[str, Any], ignored_keys: Collection[str] = ()) -> Self:
        taught = saved_by(raw).endswith("WithTeacher")
        return cls.made(cls.values(raw, ignored_keys) | {"taught": taught})

    @property
    def judged(self) -> int:
        return 2 if self.taught else 1


towers = vit.towers


def sanitize(
    tensors: Mapping[str, LazyTensor],
    config: Config,
    task: str,
    image_size: Size | None = None,
) -> dict[str, LazyTensor]:
    """Checkpoint names and layouts to those of the towers, ``image.trunk.`` and ``image.head.``."""
    kept = dict(tensors)
    if config.taught and task == "image-classify":
        for kind in ("weight", "bias"):
            first, second = (kept.get(f"{name}.{kind}") for name in PAIR)
            if first is not None and second is not None and first.shape == second.shape:
                kept[f"classifier.{kind}"] = _average(first, second)
    if config.taught:
        kept = vision.dropped(kept, rf"^({'|'.join(PAIR)})\.")
    return vit.sanitize(kept, config, task, image_size)


def _average(first: LazyTensor, second: LazyTensor) -> LazyTensor:
    """Half of each, side by side, or of two biases the mean."""

    def load() -> Tensor:
        both = torch.stack((first.load(), second.load()), 1) / 2
        return both.flatten(1) if both.ndim > 2 else both.sum(1)

    rows, *columns = first.shape
    return LazyTensor((rows, *(2 * count for count in columns)), load)
