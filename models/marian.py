"""Marian (Junczys-Dowmunt et al., 2018), as OPUS-MT uses it: BART with sinusoidal positions and a
bias of the logits."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor

from satchel.models import bart
from satchel.runtime.errors import UnsupportedError

Model = bart.Model


@dataclass(frozen=True, kw_only=True)
class Config(bart.Config):
    """config.json of model_type marian."""

    embedding_norm: ClassVar[bool] = False
    sinusoidal: ClassVar[bool] = True

    decoder_vocab_size: int | None = None
    share_encoder_decoder_embeddings: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        count = self.decoder_vocab_size
        if not self.share_encoder_decoder_embeddings or count not in (None, self.vocab_size):
            raise UnsupportedError(
                "config.json: share_encoder_decoder_embeddings = "
                f"{self.share_encoder_decoder_embeddings} and decoder_vocab_size = {count}; satchel "
                "exports models with one vocabulary for sources and targets"
            )

    @property
    def first_position(self) -> int:
        return 0

    def position_table(self) -> Tensor:
        """Sines, then cosines; in float64, as those that the models were trained with."""
        count, size = self.max_position_embeddings, self.hidden_size
        steps = torch.arange(0, size, 2, dtype=torch.float64, device="cpu")
        turns = torch.arange(count, dtype=torch.float64, device="cpu")[:, None] / 10000 ** (
            steps / size
        )
        return torch.cat([turns.sin(), turns.cos()], 1).float()
