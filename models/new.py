"""GTE as its authors' own code saves it, whose model_type is `new` (Zhang et al., 2024)."""

from __future__ import annotations

from dataclasses import dataclass

from satchel.models import gte
from satchel.models.gte import Model

__all__ = ["Config", "Model"]


@dataclass(frozen=True, kw_only=True)
class Config(gte.Config):
    """config.json of model_type new."""

    max_position_embeddings: int = 2048
    rope_theta: float = 10000.0
