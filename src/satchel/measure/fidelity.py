"""How close a quantised model stays to float32: divergence, perplexity, cosine, agreement.

Arithmetic alone, of answers that others have run: knows no graph.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from satchel.export.check import kl_divergence, log_softmax

Array = NDArray[np.float32]
Logits = Array
# A text's ids, and the float32 [length, vocab] of the reference and of the quantised model; what
# follows the last id need not be among them.
Sample = tuple[Sequence[int], Logits, Logits]
WINDOW, WINDOWS = 512, 6
PROBE = "A word"
Progress = Callable[[Iterable[Any]], Iterable[Any]]


@dataclass(frozen=True)
class Quality:
    """Figures over all predicted tokens; divergences are Kullback-Leibler, in nats, from float32."""

    mean_kl: float
    p99_kl: float
    top1: float  # share of positions with the same likeliest token
    perplexity: float
    reference_perplexity: float
    tokens: int


def shipped_text(name: str = "quality") -> str:
    """A text that comes with the package, written for it: prose, dialogue, lists, code."""
    return resources.files("satchel.quantize").joinpath(f"text/{name}.txt").read_text("utf-8")


def calibration() -> list[str]:
    """Short texts of many kinds and languages, none of them part of what quality is measured on."""
    return shipped_text("calibration").splitlines()


def sentences(limit: int = 1000) -> list[str]:
    """The first sentences of the shipped text that have at least five words."""
    pieces = re.split(r"(?<=[.!?])\s+", " ".join(shipped_text().split()))
    return [piece for piece in pieces if len(piece.split()) >= 5][:limit]


def beginning(tokenizer: Tokenizer) -> list[int]:
    """The ids that a tokenizer puts before a text, as <bos>; empty where it puts none."""
    bare = tokenizer.encode(PROBE, add_special_tokens=False).ids
    ids = tokenizer.encode(PROBE).ids
    places = (at for at in range(len(ids)) if bare and ids[at : at + len(bare)] == bare)
    return list(ids[: next(places, 0)])


def text_windows(
    tokenizer: Tokenizer, text: str, context: int, limit: int = WINDOWS
) -> list[list[int]]:
    """The first windows of a text, each behind what the tokenizer puts before a text.

    A model that has learnt to begin with <bos> answers otherwise without, and nobody asks it so. A
    shorter text or context gives shorter windows.
    """
    before, size = beginning(tokenizer), min(WINDOW, context)
    ids, step = tokenizer.encode(text, add_special_tokens=False).ids, max(1, size - len(before))
    starts = range(0, min(len(ids), step * limit), step)
    windows = [[*before, *ids[start : start + step]] for start in starts]
    return [window for window in windows if len(window) > 1]


def quality_of(samples: Iterable[Sample]) -> Quality:
    """Compare two models by what they make of the same texts, each read from an empty cache."""
    divergences, agreements, losses, reference_losses = [], [], [], []
    for ids, reference, quantized in samples:
        expected, actual = log_softmax(reference), log_softmax(quantized)
        divergences.append(kl_divergence(expected, actual))
        agreements.append(expected.argmax(1) == actual.argmax(1))
        places, following = np.arange(len(ids) - 1), np.asarray(ids[1:])
        losses.append(-actual[places, following])
        reference_losses.append(-expected[places, following])
    divergence = np.concatenate(divergences)
    return Quality(
        mean_kl=float(divergence.mean()),
        p99_kl=float(np.quantile(divergence, 0.99)),
        top1=float(np.concatenate(agreements).mean()),
        perplexity=perplexity(losses),
        reference_perplexity=perplexity(reference_losses),
        tokens=len(divergence),
    )


def perplexity(losses: Sequence[Array]) -> float:
    """Exponential of the mean of negative log-probabilities of tokens."""
    return float(np.exp(np.concatenate(losses).mean(dtype=np.float64)))


def cosine(expected: NDArray[Any], actual: NDArray[Any]) -> NDArray[Any]:
    """The cosine of vectors [..., size]; where one is all zeros, 1 with another such, else 0."""
    lengths = np.linalg.norm(expected, axis=-1) * np.linalg.norm(actual, axis=-1)
    some = lengths > 0
    products = (expected * actual).sum(-1) / np.where(some, lengths, 1)
    return np.asarray(np.where(some, products, (expected == actual).all(-1)))


def cosines(expected: Sequence[Array], actual: Sequence[Array]) -> dict[str, float]:
    """How alike the vectors [size] of texts or images are, or all of a text's tokens [tokens, size]: the
    mean, the least, the lowest hundredth."""
    pairs = [(a.ravel(), b.ravel()) for a, b in zip(expected, actual, strict=True)]
    alike = [float(cosine(a, b)) for a, b in pairs]
    return {
        "mean_cosine": float(np.mean(alike)),
        "p01_cosine": float(np.quantile(alike, 0.01)),
        "min_cosine": min(alike),
        "texts": len(alike),
    }


def loss(expected: Array, actual: Array, scores: str | None) -> float:
    """How far an answer [..., size] lies from another, the mean of its rows: 0 where they are the same.

    Vectors (`scores` None): one less the cosine. "softmax" and "sigmoid": the divergence in nats.
    "identity": half the squared distance.
    """
    # What one layer costs can be less than what float32 leaves of a 1.
    a, b = expected.astype(np.float64), actual.astype(np.float64)
    if scores is None:
        return float((1 - cosine(a, b)).mean())
    if scores == "identity":
        return float(np.square(a - b).mean() / 2)
    if scores == "sigmoid":  # of each label: no, or yes
        a, b = (np.stack([np.zeros_like(logits), logits], -1) for logits in (a, b))
    return float(kl_divergence(log_softmax(a), log_softmax(b)).mean())


@dataclass(frozen=True)
class Places:
    """What an answer [..., labels] beside another tells of each text, token or place."""

    same: NDArray[np.bool_]  # whether the likeliest label is the same
    divergence: NDArray[np.float64] | None  # in nats, where it is asked for


def places(expected: Array, actual: Array, divergence: bool = False) -> Places:
    """Compare two answers [..., labels], place by place."""
    same = (expected.argmax(-1) == actual.argmax(-1)).reshape(-1)
    if not divergence:
        return Places(same, None)
    apart = kl_divergence(log_softmax(expected), log_softmax(actual))
    return Places(same, apart.reshape(-1))


def of_places(compared: Sequence[Places]) -> dict[str, float]:
    """The share of places with the same likeliest label, and their mean divergence if it was asked."""
    figures = {"agreement": float(np.concatenate([one.same for one in compared]).mean())}
    apart = [one.divergence for one in compared if one.divergence is not None]
    if apart:
        figures["mean_kl"] = float(np.concatenate(apart).mean())
    return {**figures, "texts": len(compared)}


def of_scores(expected: Sequence[Array], actual: Sequence[Array]) -> dict[str, float]:
    """How alike the one score of each text is: the correlation (Pearson), which ranks depend on."""
    a, b = (
        np.concatenate([one.reshape(-1) for one in part]).astype(np.float64)
        for part in (expected, actual)
    )
    a, b = a - a.mean(), b - b.mean()
    size = np.linalg.norm(a) * np.linalg.norm(b)
    return {
        "correlation": float(a @ b / size) if size else float(np.array_equal(a, b)),
        "texts": len(expected),
    }


def score_distances(expected: Array, actual: Array) -> Array:
    """How far the score of each label that was expected lies from that score, of [..., labels].

    With one label it is the score itself.
    """
    likeliest = expected.argmax(-1)[..., None]
    apart = np.take_along_axis(expected, likeliest, -1) - np.take_along_axis(actual, likeliest, -1)
    distances: Array = np.abs(apart).reshape(-1)
    return distances
