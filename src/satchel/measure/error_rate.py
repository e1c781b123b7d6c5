"""How many errors a text has beside the texts that would have been right. Knows no model."""

from __future__ import annotations

from collections.abc import Sequence


def distance(hypothesis: Sequence[str], reference: Sequence[str]) -> int:
    """Levenshtein distance: insertions, deletions and substitutions."""
    row = list(range(len(reference) + 1))
    for i, token in enumerate(hypothesis, 1):
        before, row[0] = row[0], i
        for j, other in enumerate(reference, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (token != other))
    return row[-1]


def nearest(hypothesis: Sequence[str], targets: Sequence[Sequence[str]]) -> tuple[int, int]:
    """The distance to the target that is nearest for its length, and that length."""
    scored = [(distance(hypothesis, target), len(target)) for target in targets]
    return min(scored, key=lambda pair: (pair[0] / max(1, pair[1]), pair[0]))
