"""A table of word vectors whose mean is the vector of a text (Tulkens and van Dongen, 2024): no network.

Also in the layout of model2vec, where `mapping` says which row a token has and `weights` scale it.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from torch import Tensor, nn

from satchel.checkpoints.checkpoint import LazyTensor
from satchel.models import weights
from satchel.models.heads import HeadShape
from satchel.models.layers import Embedding
from satchel.runtime.errors import CheckpointError, UnsupportedError, shown

MODEL_TYPE = "static-embedding"
POSITIONS = 1 << 19  # tokens of a text: as many as the runtime reads
TABLES = ("embedding.weight", "embeddings")
TABLE = "trunk.embeddings.word_embeddings.weight"


@dataclass(frozen=True, kw_only=True)
class Config:
    """The sizes of the table. There is no config.json, or one of another library."""

    vocab_size: int
    hidden_size: int
    token_types: int = 0
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
        """The table under its name here, a row per token."""
        return {TABLE: folded(tensors)}

    @staticmethod
    def heads(config: Config) -> dict[str, HeadShape]:
        """None: a table gives vectors alone."""
        return {}


def described(tensors: Mapping[str, LazyTensor]) -> dict[str, Any]:
    """What config.json would say of the table."""
    rows, width = folded(tensors).shape
    return {"model_type": MODEL_TYPE, "vocab_size": rows, "hidden_size": width}


def folded(tensors: Mapping[str, LazyTensor]) -> LazyTensor:
    """The table with one row per token id, scaled."""
    name = next((name for name in TABLES if name in tensors), None)
    unknown = sorted(set(tensors) - {name, "mapping", "weights"})
    if name is None or unknown:
        raise UnsupportedError(
            f"a table of words is expected under {' or '.join(TABLES)}; found "
            f"{', '.join(map(shown, sorted(tensors)))}"
        )
    parts = (
        {} if name == TABLES[0] else {part: tensors.get(part) for part in ("mapping", "weights")}
    )
    mapping, scales, table = parts.get("mapping"), parts.get("weights"), tensors[name]
    rows = table.shape[0] if mapping is None else mapping.shape[0]
    if len(table.shape) != 2 or (scales is not None and scales.shape != (rows,)):
        raise CheckpointError(f"weights do not fit: {name} has shape {list(table.shape)}")

    def load() -> Tensor:
        loaded = table.load()
        if mapping is not None:
            chosen = mapping.load().long()
            if not 0 <= int(chosen.min()) <= int(chosen.max()) < len(loaded):
                raise CheckpointError(f"mapping leads out of the {len(loaded)} rows of {name}")
            loaded = loaded[chosen]
        return loaded if scales is None else loaded * scales.load()[:, None]

    return LazyTensor((rows, table.shape[1]), load)
