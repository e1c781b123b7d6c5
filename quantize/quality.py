"""How close a quantised model stays to float32: divergence, perplexity, cosine, agreement.

Arithmetic alone, of answers that others have run: knows no graph.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib import resources

import numpy as np
from numpy.typing import NDArray

from satchel.export.check import kl_divergence, log_softmax

Array = NDArray[np.float32]
Logits = Array
# A text's ids, and the float32 [length, vocab] of the reference and of the quantised model; what
# follows the last id need not be among them.
Sample = tuple[Sequence[int], Logits, Logits]
WINDOW, WINDOWS = 512, 6


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


def text_windows(ids: Sequence[int], context: int, limit: int = WINDOWS) -> list[Sequence[int]]:
    """The first windows of a tokenised text; a shorter text or context gives shorter ones."""
    size = min(WINDOW, context)
    starts = range(0, min(len(ids), size * limit), size)
    return [window for start in starts if len(window := ids[start : start + size]) > 1]


def measure(samples: Iterable[Sample]) -> Quality:
    """Compare two models by what they make of the same texts, each read from an empty cache."""
    divergences, agreements, losses, reference_losses = [], [], [], []
    for ids, reference, quantized in samples:
        expected, found = log_softmax(reference), log_softmax(quantized)
        divergences.append(kl_divergence(expected, found))
        agreements.append(expected.argmax(1) == found.argmax(1))
        places, following = np.arange(len(ids) - 1), np.asarray(ids[1:])
        losses.append(-found[places, following])
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


def cosines(expected: Sequence[Array], found: Sequence[Array]) -> dict[str, float]:
    """How alike the vectors [size] of texts or images are: the mean, the least, the lowest hundredth."""
    pairs = zip(expected, found, strict=True)
    alike = [float(a @ b / np.linalg.norm(a) / np.linalg.norm(b)) for a, b in pairs]
    return {
        "mean_cosine": float(np.mean(alike)),
        "p01_cosine": float(np.quantile(alike, 0.01)),
        "min_cosine": min(alike),
        "texts": len(alike),
    }


def agreement(expected: Sequence[Array], found: Sequence[Array]) -> dict[str, float]:
    """Share of texts, tokens or places whose likeliest label, of [..., labels], is the same."""
    same = [
        (a.argmax(-1) == b.argmax(-1)).reshape(-1) for a, b in zip(expected, found, strict=True)
    ]
    return {"agreement": float(np.concatenate(same).mean()), "texts": len(same)}


def score_difference(expected: Sequence[Array], found: Sequence[Array]) -> float:
    """How far the score of the label that was expected lies from that score, in the mean.

    Scores are [..., labels]; with one label it is the score itself.
    """
    distances = []
    for a, b in zip(expected, found, strict=True):
        likeliest = a.argmax(-1)[..., None]
        apart = np.take_along_axis(a, likeliest, -1) - np.take_along_axis(b, likeliest, -1)
        distances.append(np.abs(apart).reshape(-1))
    return float(np.concatenate(distances).mean(dtype=np.float64))
