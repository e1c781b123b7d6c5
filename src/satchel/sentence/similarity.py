"""How alike vectors are: all with all, or pair by pair. The names of sentence_transformers.util.

Given arrays these give arrays; given a tensor of PyTorch, a tensor.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Any

import numpy as np

from satchel.runtime.errors import UsageError, shown
from satchel.sentence.arrays import Array, array_of, in_kind, rows, unit

Similarity = Callable[[Any, Any], Any]


@in_kind
def cos_sim(a: Any, b: Any) -> Array:
    """[n, m] cosines of the vectors of `a` with those of `b`."""
    return unit(rows(a)) @ unit(rows(b)).T


@in_kind
def dot_score(a: Any, b: Any) -> Array:
    """[n, m] products."""
    return rows(a) @ rows(b).T


@in_kind
def euclidean_sim(a: Any, b: Any) -> Array:
    """[n, m] distances, negated."""
    others = rows(b)
    return _each(rows(a), others, lambda row: -np.sqrt(np.square(others - row).sum(-1)))


@in_kind
def manhattan_sim(a: Any, b: Any) -> Array:
    """[n, m] sums of the differences, negated."""
    others = rows(b)
    return _each(rows(a), others, lambda row: -np.abs(others - row).sum(-1))


@in_kind
def pairwise_cos_sim(a: Any, b: Any) -> Array:
    """[n] cosines of the vectors of `a` with those of `b` in the same places."""
    return np.asarray((unit(array_of(a)) * unit(array_of(b))).sum(-1))


@in_kind
def pairwise_dot_score(a: Any, b: Any) -> Array:
    """[n] products."""
    return np.asarray((array_of(a) * array_of(b)).sum(-1))


@in_kind
def pairwise_euclidean_sim(a: Any, b: Any) -> Array:
    """[n] distances, negated."""
    return np.asarray(-np.sqrt(np.square(array_of(a) - array_of(b)).sum(-1)))


@in_kind
def pairwise_manhattan_sim(a: Any, b: Any) -> Array:
    """[n] sums of the differences, negated."""
    return np.asarray(-np.abs(array_of(a) - array_of(b)).sum(-1))


@in_kind
def pairwise_angle_sim(x: Any, y: Any) -> Array:
    """[n] similarities by angle in complex space (Li and Li, 2023): numbers half a vector apart pair."""
    first, second = unit(rows(x)), unit(rows(y))
    if first.shape[1] % 2:
        first, second = (np.pad(one, ((0, 0), (0, 1))) for one in (first, second))
    (a, b), (c, d) = (np.split(one, 2, axis=1) for one in (first, second))
    return np.abs((first * second).sum(1) + (b * c - a * d).sum(1))


class SimilarityFunction(Enum):
    """What vectors are compared by."""

    COSINE = "cosine"
    DOT_PRODUCT = "dot"
    DOT = "dot"  # noqa: PIE796 (the library has both names)
    EUCLIDEAN = "euclidean"
    MANHATTAN = "manhattan"

    @staticmethod
    def to_similarity_fn(similarity_function: str | SimilarityFunction) -> Similarity:
        """The function that compares all with all."""
        return FUNCTIONS[similarity_name(similarity_function)][0]

    @staticmethod
    def to_similarity_pairwise_fn(similarity_function: str | SimilarityFunction) -> Similarity:
        """The function that compares pair by pair."""
        return FUNCTIONS[similarity_name(similarity_function)][1]

    @staticmethod
    def possible_values() -> list[str]:
        """The names."""
        return list(FUNCTIONS)


FUNCTIONS: dict[str, tuple[Similarity, Similarity]] = {
    "cosine": (cos_sim, pairwise_cos_sim),
    "dot": (dot_score, pairwise_dot_score),
    "euclidean": (euclidean_sim, pairwise_euclidean_sim),
    "manhattan": (manhattan_sim, pairwise_manhattan_sim),
}


def similarity_name(value: Any) -> str:
    """The name of a similarity, also by an Enum, the library's own too; UsageError for an unknown one."""
    name = value.value if isinstance(value, Enum) else value
    if name not in FUNCTIONS:
        raise UsageError(
            f"similarity_fn_name = {shown(name)} is not supported; known: {', '.join(FUNCTIONS)}"
        )
    return str(name)


def _each(vectors: Array, others: Array, compare: Callable[[Array], Array]) -> Array:
    """[n, m], a row at a time: all differences at once may be more than memory holds."""
    result = np.empty((len(vectors), len(others)), np.result_type(vectors, others))
    for place, row in enumerate(vectors):
        result[place] = compare(row)
    return result
