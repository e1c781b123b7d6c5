"""What an encoder's logits say: scores of labels, passages and words. Knows no graph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from satchel.runtime.manifest import Labels

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Classification:
    """The likeliest label of a text, image or sound, its score, and the scores of all labels; of several
    labels with one name (ImageNet has two cranes) the greatest."""

    label: str
    score: float
    scores: dict[str, float]


@dataclass(frozen=True)
class Ranked:
    """A passage's place in the list it came from, and how well it answers the query."""

    index: int
    score: float


@dataclass(frozen=True)
class Sparse:
    """The numbers of a vector that are not 0 and their places, int64, in ascending order."""

    indices: NDArray[np.int64]
    values: Array

    @classmethod
    def of(cls, vector: Array) -> Sparse:
        indices = np.flatnonzero(vector)
        return cls(indices, vector[indices])


@dataclass(frozen=True)
class Filled:
    """A token for a masked place, its probability, and the text with it filled in."""

    token: str
    score: float
    text: str


def activated(logits: Array, scores: str) -> Array:
    """Scores over the last axis: softmax, sigmoid or the logits themselves."""
    if scores == "identity":
        return logits
    if scores == "sigmoid":
        sigmoid: Array = np.exp(-np.logaddexp(np.float32(0), -logits))
        return sigmoid
    exponents: Array = np.exp(logits - logits.max(-1, keepdims=True))
    return exponents / exponents.sum(-1, keepdims=True)


def classified(logits: Array, labels: Labels) -> Classification:
    """What the logits of `labels` say of one input."""
    scores = activated(logits, labels.scores)
    best = int(scores.argmax())
    named: dict[str, float] = {}
    for name, score in zip(labels.names, scores, strict=True):
        named[name] = max(float(score), named.get(name, -np.inf))
    return Classification(labels.names[best], float(scores[best]), named)
