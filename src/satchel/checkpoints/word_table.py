"""The table of word vectors in a folder of StaticEmbedding, also in the layout of model2vec.

There `mapping` says which row a token has, and `weights` scale it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from satchel.checkpoints.tensors import LazyTensor
from satchel.runtime.errors import CheckpointError, UnsupportedError, shown

if TYPE_CHECKING:
    from torch import Tensor

MODEL_TYPE = "static-embedding"
TABLE = "table"  # its name among the tensors of the checkpoint
NAMES = ("embedding.weight", "embeddings")


def described(table: LazyTensor) -> dict[str, Any]:
    """What config.json would say of the table."""
    rows, width = table.shape
    return {"model_type": MODEL_TYPE, "vocab_size": rows, "hidden_size": width}


def folded(tensors: Mapping[str, LazyTensor]) -> LazyTensor:
    """The table with one row per token id, scaled."""
    name = next((name for name in NAMES if name in tensors), None)
    unknown = sorted(set(tensors) - {name, "mapping", "weights"})
    if name is None or unknown:
        raise UnsupportedError(
            f"a table of words is expected under {' or '.join(NAMES)}; found "
            f"{', '.join(map(shown, sorted(tensors)))}"
        )
    parts = {} if name == NAMES[0] else {part: tensors.get(part) for part in ("mapping", "weights")}
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
