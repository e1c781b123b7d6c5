"""M2M-100 (Fan et al., 2021) and NLLB: mBART with sinusoidal positions and without a norm behind them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from satchel.models import bart

Model = bart.Model


@dataclass(frozen=True, kw_only=True)
class Config(bart.Config):
    """config.json of model_type m2m_100."""

    post_norm: ClassVar[bool] = False
    embedding_norm: ClassVar[bool] = False
    sinusoidal: ClassVar[bool] = True

    activation_function: str = "relu"
    scale_embedding: bool = True
    pad_token_id: int = 1

    @property
    def first_position(self) -> int:
        return self.pad_token_id + 1

    def position_table(self) -> Tensor:
        return sinusoids(self.max_position_embeddings + self.first_position, self.hidden_size)


def sinusoids(count: int, size: int) -> Tensor:
    """Sines, then cosines, of other frequencies than Marian's, float32 [count, size]: in that precision,
    as in training."""
    half = size // 2
    slower = torch.arange(half, device="cpu").float() * -(math.log(10000) / (half - 1))
    turns = torch.arange(count, device="cpu").float()[:, None] * slower.exp()
    return torch.cat([turns.sin(), turns.cos()], 1)
