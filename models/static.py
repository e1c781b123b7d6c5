"""A table of word vectors, whose mean is a text's vector (Tulkens and van Dongen, 2024): no network."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from torch import Tensor, nn

from satchel.checkpoints.tensors import LazyTensor
from satchel.checkpoints.word_table import TABLE
from satchel.models import weights
from satchel.models.heads import HeadShape
from satchel.models.layers import Embedding

POSITIONS = 1 << 19  # tokens of a text: as many as the runtime reads
PARAMETER = "trunk.embeddings.word_embeddings.weight"


@dataclass(frozen=True, kw_only=True)
class Config:
    """The sizes of the table. There is no config.json, or one of another library."""

    vocab_size: int
    hidden_size: int
    token_types: int = 0
    boxed: bool = False
    tie_word_embeddings: bool = False
    positions: int = POSITIONS
    eps: float = field(default=0.0, init=False)

    @property
    def embedding_width(self) -> int:
        return self.hidden_size

    @classmethod
    def from_dict(cls, raw: dict[str, Any], ignored_keys: Collection[str] = ()) -> Self:
        return cls(vocab_size=raw["vocab_size"], hidden_size=raw["hidden_size"])


class Table(nn.Module):
    """The one part of the trunk, by the name that other trunks give it."""

    def __init__(self, config: Config) -> None:
        super().__init__()
        self.word_embeddings = Embedding(config.vocab_size, config.hidden_size)


class Model(nn.Module):
    """States that are rows of the table."""

    unused: tuple[str, ...] = ()

    def __init__(self, config: Config, typed: bool) -> None:
        super().__init__()
        self.embeddings = Table(config)

    def forward(self, input_ids: Tensor) -> Tensor:
        """Rows [batch, length, hidden] of int64 ids [batch, length]."""
        rows: Tensor = self.embeddings.word_embeddings(input_ids)
        return rows

    @staticmethod
    def sanitize(tensors: Mapping[str, LazyTensor], config: Config) -> weights.Tensors:
        """The table under its name here."""
        return {PARAMETER: tensors[TABLE]}

    @staticmethod
    def heads(config: Config) -> dict[str, HeadShape]:
        """None: a table gives vectors alone."""
        return {}
