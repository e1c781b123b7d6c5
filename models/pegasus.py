"""Pegasus (Zhang et al., 2020): Marian with the norms before the parts of a block, as in mBART."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from satchel.models import bart, marian

Model = bart.Model


@dataclass(frozen=True, kw_only=True)
class Config(marian.Config):
    """config.json of model_type pegasus."""

    post_norm: ClassVar[bool] = False
