"""wav2vec 2.0 (Baevski et al., 2020): convolutions over samples, convolved positions, blocks as BERT's
with norms behind or before their parts."""

from __future__ import annotations

from dataclasses import dataclass

from satchel.models.sound import SoundTrunk
from satchel.models.sound_config import SoundConfig


@dataclass(frozen=True, kw_only=True)
class Config(SoundConfig):
    """config.json of model_type wav2vec2."""


class Model(SoundTrunk):
    """The trunk of wav2vec 2.0."""
