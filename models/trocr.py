"""The decoder of TrOCR (Li et al., 2021): BART's, perhaps with sinusoidal positions and without a norm
behind them. It writes for an encoder of another architecture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from torch import Tensor

from satchel.models import bart
from satchel.models.m2m_100 import sinusoids


@dataclass(frozen=True, kw_only=True)
class Config(bart.WriterConfig):
    """The decoder's config.json, of model_type trocr."""

    KEYS: ClassVar[dict[str, tuple[str, ...]]] = bart.WriterConfig.KEYS | {
        "decoder_layers": ("decoder_layers", "num_hidden_layers"),
        "decoder_attention_heads": ("decoder_attention_heads", "num_attention_heads"),
    }

    max_position_embeddings: int = 512
    layernorm_embedding: bool = True
    use_learned_position_embeddings: bool = True
    cross_attention_hidden_size: int | None = None
    pad_token_id: int = 1

    @property
    def embedding_norm(self) -> bool:  # type: ignore[override]
        return self.layernorm_embedding

    @property
    def sinusoidal(self) -> bool:  # type: ignore[override]
        return not self.use_learned_position_embeddings

    @property
    def source_width(self) -> int:
        return self.cross_attention_hidden_size or self.hidden_size

    @property
    def first_position(self) -> int:
        return self.pad_token_id + 1 if self.sinusoidal else 2

    def position_table(self) -> Tensor:
        return sinusoids(self.max_position_embeddings + self.first_position, self.hidden_size)
