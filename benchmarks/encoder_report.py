"""What was measured of encoders, as Markdown tables and as one JSON value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import report
from encoder_peers import EncoderEntrant
from interleave import ratios, spread
from report import Figure, Phase, cell
from variants import STOCK

LOAD = Figure("load to first vector", "s")
START = Figure("process start to first vector", "s")
MEMORY = Figure("peak memory", "MB")
LIBRARY_MEMORY = Figure("peak memory with its library", "MB")
SIZE = Figure("files", "MB")
LEGEND = "Median (min to max)."
RATIOS = "Ratio, pair by pair: above 1, satchel is faster or smaller."
AGREEMENT = "Cosine with the float32 vectors of PyTorch:"
CHECKS = ("sentences", "batches", "corpus")


def batch(count: int, length: int) -> Figure:
    """Ids of `count` texts of `length` tokens to vectors."""
    work = (Phase("encoder", 1, count * length),)
    return Figure(f"batch {count}x{length}", "ms", work=work)


def corpus(texts: int) -> Figure:
    """A corpus of texts to vectors."""
    return Figure(f"corpus of {texts} texts", "texts/s", texts)


def tables(
    ours: EncoderEntrant, others: Sequence[EncoderEntrant], figures: Sequence[Figure], threads: int
) -> str:
    """The machine, figures, ratios, agreement, and what each entrant is."""
    entrants = [ours, *others]
    values = [[figure.title, *(cell(figure.values(one)) for one in entrants)] for figure in figures]
    parts = [
        f"{report.processor()}, {threads} threads. {LEGEND}",
        report.table(["figure", *(one.name for one in entrants)], values),
    ]
    if others:
        heads = ["figure", *(one.name for one in others), "best peer"]
        rows = [_ratios(figure, ours, others) for figure in figures]
        parts += [RATIOS, report.table(heads, rows)]
    heads = ["entrant", *(f"{check}, {key}" for check in CHECKS for key in ("mean", "least"))]
    parts += [AGREEMENT, report.table(heads, map(_agreement, entrants))]
    return "\n\n".join([*parts, "\n".join(map(report.described, entrants))])


def result(
    ours: EncoderEntrant,
    others: list[EncoderEntrant],
    figures: Sequence[Figure],
    conditions: dict[str, Any],
) -> dict[str, Any]:
    """Everything, for a JSON file."""
    best = {figure.name: one.name for figure in figures if (one := _best(figure, others))}
    return report.result(ours, list(others), figures, conditions) | {"best_peer": best}


def _best(figure: Figure, others: Sequence[EncoderEntrant]) -> EncoderEntrant | None:
    """The peer with the least seconds or bytes; satchel on other kernels is none."""
    measured = [one for one in others if one.name != STOCK and one.samples.get(figure.name)]
    return min(measured, key=lambda one: spread(one.samples[figure.name])["median"], default=None)


def _ratios(figure: Figure, ours: EncoderEntrant, others: Sequence[EncoderEntrant]) -> list[str]:
    cells = {
        one.name: cell(ratios(ours.samples.get(figure.name, []), one.samples.get(figure.name, [])))
        for one in others
    }
    best = _best(figure, others)
    return [figure.name, *cells.values(), f"{best.name}: {cells[best.name]}" if best else "-"]


def _agreement(entrant: EncoderEntrant) -> list[str]:
    cosines = [entrant.agreement.get(check, {}) for check in CHECKS]
    cells = [
        f"{cosine[key]:.5f}" if cosine else "-" for cosine in cosines for key in ("mean", "min")
    ]
    return [entrant.name, *cells]
