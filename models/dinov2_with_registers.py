"""DINOv2 with registers (Darcet et al., 2023): tokens without positions that no head reads."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from satchel.models import dinov2

TASKS = dinov2.TASKS


@dataclass(frozen=True, kw_only=True)
class Config(dinov2.Config):
    """config.json of model_type dinov2_with_registers."""

    model_type: ClassVar[str] = "dinov2_with_registers"
    antialias: ClassVar[bool] = True

    patch_size: int | list[int] = 16
    num_register_tokens: int = 4


towers = dinov2.towers
sanitize = dinov2.sanitize
