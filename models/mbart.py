"""mBART (Liu et al., 2020): BART with the norms before the parts of a block, and one at the end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from satchel.models import bart

Model = bart.Model


@dataclass(frozen=True, kw_only=True)
class Config(bart.Config):
    """config.json of model_type mbart."""

    post_norm: ClassVar[bool] = False
