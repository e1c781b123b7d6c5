"""Blenderbot of 90 million weights (Roller et al., 2020): BART whose positions count from 0, and whose
decoder norms words before they have positions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from satchel.models import bart

Model = bart.Model


@dataclass(frozen=True, kw_only=True)
class Config(bart.Config):
    """config.json of model_type blenderbot-small."""

    words_norm: ClassVar[bool] = True

    @property
    def first_position(self) -> int:
        return 0
