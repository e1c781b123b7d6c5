"""The encoder of Donut (Kim et al., 2021): Swin without the norm behind its last stage. A decoder of
another architecture writes down what it reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import nn

from satchel.models import swin
from satchel.models.encoder import Tower
from satchel.models.vision_config import Size

sanitize = swin.sanitize


@dataclass(frozen=True, kw_only=True)
class Config(swin.Config):
    """The encoder's config.json, of model_type donut-swin."""

    model_type: ClassVar[str] = "donut-swin"


class DonutTrunk(swin.SwinTrunk):
    """A trunk whose states are those of its last stage."""

    def __init__(self, config: swin.Config, pixels: Size) -> None:
        super().__init__(config, pixels)
        self.norm = nn.Identity()  # type: ignore[assignment]


def towers(config: Config, task: str, image_size: Size | None = None) -> dict[str, Tower]:
    """The image tower; `image_size` is what preprocessing makes."""
    return swin.towers(config, task, image_size, DonutTrunk)
