"""What people use of sentence_transformers.util beside a model, by the same names, in numpy."""

from __future__ import annotations

from typing import Any

from satchel.sentence.arrays import Array, array_of, in_kind, unit
from satchel.sentence.quantization import quantize_embeddings
from satchel.sentence.search import (
    information_retrieval,
    paraphrase_mining,
    paraphrase_mining_embeddings,
    semantic_search,
)
from satchel.sentence.similarity import (
    SimilarityFunction,
    cos_sim,
    dot_score,
    euclidean_sim,
    manhattan_sim,
    pairwise_angle_sim,
    pairwise_cos_sim,
    pairwise_dot_score,
    pairwise_euclidean_sim,
    pairwise_manhattan_sim,
)

__all__ = [
    "SimilarityFunction",
    "cos_sim",
    "dot_score",
    "euclidean_sim",
    "information_retrieval",
    "manhattan_sim",
    "normalize_embeddings",
    "pairwise_angle_sim",
    "pairwise_cos_sim",
    "pairwise_dot_score",
    "pairwise_euclidean_sim",
    "pairwise_manhattan_sim",
    "paraphrase_mining",
    "paraphrase_mining_embeddings",
    "pytorch_cos_sim",
    "quantize_embeddings",
    "semantic_search",
    "truncate_embeddings",
]

pytorch_cos_sim = cos_sim


@in_kind
def normalize_embeddings(embeddings: Any) -> Array:
    """Vectors at unit length."""
    return unit(array_of(embeddings))


def truncate_embeddings(embeddings: Any, truncate_dim: int | None) -> Any:
    """The first `truncate_dim` numbers of vectors (None: all)."""
    return embeddings[..., :truncate_dim]
