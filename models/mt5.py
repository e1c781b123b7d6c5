"""mT5 (Xue et al., 2021): T5 version 1.1 for many languages, its head's input never scaled."""

from __future__ import annotations

from dataclasses import dataclass

from satchel.models import t5

Model = t5.Model


@dataclass(frozen=True, kw_only=True)
class Config(t5.Config):
    """config.json of model_type mt5."""

    feed_forward_proj: str = "gated-gelu"

    @property
    def head_scale(self) -> float:
        return 1.0
