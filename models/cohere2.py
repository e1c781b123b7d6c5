"""Command R7B and Aya Vision's texts (Cohere, 2024): Command R with windows on most layers, which alone
know positions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from satchel.checkpoints.config_keys import COSMETIC
from satchel.models import cohere
from satchel.models.config import windows

Model = cohere.Model


@dataclass(frozen=True, kw_only=True)
class Config(cohere.Config):
    """config.json of model_type cohere2."""

    # Written, and always made of the two sizes.
    KEYS: ClassVar[dict[str, tuple[str, ...]]] = {"head_dim": ()}
    cosmetic: ClassVar[frozenset[str]] = COSMETIC | {"_sliding_window_pattern", "head_dim"}

    rope_theta: float = 10000.0
    sliding_window: int | None = 4096
    sliding_window_pattern: int = 4
    layer_types: list[str] | None = None

    def windows(self) -> list[int | None]:
        kinds = self.layer_types or [
            "sliding_attention" if (layer + 1) % self.sliding_window_pattern else "full_attention"
            for layer in range(self.num_hidden_layers)
        ]
        return windows(self, kinds, self.sliding_window)

    def layer_ropes(self) -> list[str | None]:
        return ["all" if window else None for window in self.windows()]
