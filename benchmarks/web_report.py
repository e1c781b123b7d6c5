"""What was measured in a browser, as Markdown tables and as one JSON value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import report
from report import Figure

FIRST = Figure("prompt of 128 to first token", "ms")
STEPS = Figure("each token after it", "ms")
FIRST_VISIT = Figure("tab opened to model, first visit", "s")
VISIT = Figure("tab opened to model, kept", "s")
SENT = Figure("sent on a first visit", "MB")
OPENING = (FIRST_VISIT, VISIT, SENT)
WORD = Figure("page opened to first phoneme, kept", "s")
LEGEND = (
    "Chromium without a GPU, WebAssembly in a worker, files from this machine. Median (min to max); "
    "ratio, pair by pair: above 1, satchel is faster or smaller."
)


def corpus(texts: int) -> Figure:
    """A corpus of texts to vectors."""
    return Figure(f"corpus of {texts} texts", "texts/s", texts)


def tables(parts: Sequence[Any], threads: int) -> str:
    """A table for each model: the first entrant is satchel."""
    return "\n\n".join([f"{report.processor()}, {threads} threads. {LEGEND}", *map(_table, parts)])


def result(parts: Sequence[Any], conditions: dict[str, Any]) -> dict[str, Any]:
    """Everything, for a JSON file."""
    return {
        part.title: report.result(part.entrants[0], part.entrants[1:], part.figures, conditions)
        for part in parts
    }


def _table(part: Any) -> str:
    ours, *others = part.entrants
    heads = [
        "figure",
        *(one.name for one in part.entrants),
        *(f"ratio {one.name}" for one in others),
    ]
    rows = [report.beside(figure, ours, others) for figure in part.figures]
    described = "\n".join(report.described(one, *_quality(one.quality)) for one in part.entrants)
    return f"## {part.title}\n\n{report.table(heads, rows)}\n\n{described}"


def _quality(found: dict[str, float]) -> list[str]:
    said = ", ".join(f"{name} {value:.5g}" for name, value in found.items())
    return [f"Against float32: {said}."] if said else []
