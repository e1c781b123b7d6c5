"""Blenderbot (Roller et al., 2020): mBART whose positions count from 0, without a norm behind them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from satchel.models import bart

Model = bart.Model


@dataclass(frozen=True, kw_only=True)
class Config(bart.Config):
    """config.json of model_type blenderbot."""

    post_norm: ClassVar[bool] = False
    embedding_norm: ClassVar[bool] = False

    @property
    def first_position(self) -> int:
        return 0
