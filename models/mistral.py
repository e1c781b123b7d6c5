"""Mistral (Jiang et al., 2023): LLaMA with a sliding window on every layer."""

from __future__ import annotations

from dataclasses import dataclass

from satchel.models import llama
from satchel.models.config import windows

Model = llama.Model


@dataclass(frozen=True, kw_only=True)
class Config(llama.Config):
    """config.json of model_type mistral."""

    num_key_value_heads: int | None = 8
    max_position_embeddings: int = 131072
    sliding_window: int | None = 4096

    def windows(self) -> list[int | None]:
        return windows(self, None, self.sliding_window)
