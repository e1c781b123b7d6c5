"""Ministral (Mistral AI, 2024): Mistral with a window on some layers."""

from __future__ import annotations

from dataclasses import dataclass

from satchel.models import llama, mistral
from satchel.models.config import windows

Model = llama.Model


@dataclass(frozen=True, kw_only=True)
class Config(mistral.Config):
    """config.json of model_type ministral."""

    layer_types: list[str] | None = None

    def windows(self) -> list[int | None]:
        return windows(self, self.layer_types, self.sliding_window)
