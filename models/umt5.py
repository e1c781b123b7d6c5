"""umT5 (Chung et al., 2023): T5 version 1.1 for many languages, with a bias by distance in each block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from satchel.models import t5

Model = t5.Model


@dataclass(frozen=True, kw_only=True)
class Config(t5.Config):
    """config.json of model_type umt5."""

    shared_bias: ClassVar[bool] = False

    feed_forward_proj: str = "gated-gelu"
