"""What was measured of decoders, as Markdown tables and as one JSON value."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import report
from decoder_peers import REFERENCE, DecoderEntrant
from interleave import Entrant, ratios
from report import Figure, Phase, alike, cell

PREFILL_128 = Figure("prefill 128", "tok/s", 128, (Phase("decoder", 1, 128, 1),))
PREFILL_512 = Figure("prefill 512", "tok/s", 512, (Phase("decoder", 1, 512, 1),))
DECODE = Figure("decode 64 after 128", "tok/s", 64, (Phase("decoder", 64, 1, 1),))
DECODE_8 = Figure("decode 32 of 8 texts", "tok/s", 8 * 32, (Phase("decoder", 32, 8, 8),))
LOAD = Figure("load to first token", "s")
START = Figure("process start to first token", "s")
MEMORY = Figure("peak memory", "MB")
SIZE = Figure("files", "MB")
FIGURES = (PREFILL_128, PREFILL_512, DECODE, DECODE_8, LOAD, START, MEMORY, SIZE)
LEGEND = "Median (min to max)."
RATIOS = "Ratio, pair by pair: above 1, satchel is faster or smaller."
QUALITY = f"Against {REFERENCE}, over the tokens of the shipped text:"
IDS = "ids as"  # of the greedy answer to the first prompt, up to the first that differs


def tables(ours: DecoderEntrant, others: Sequence[DecoderEntrant], threads: int) -> str:
    """The machine, figures, ratios, quality, and what each entrant is; a row for each."""
    entrants = [ours, *others]
    titles = ["entrant", *(figure.title for figure in FIGURES)]
    parts = [
        f"{report.processor()}, {threads} threads. {LEGEND}",
        report.table(titles, (_figures(one) for one in entrants)),
    ]
    if others:
        names = ["entrant", *(figure.name for figure in FIGURES)]
        parts += [RATIOS, report.table(names, (_ratios(ours, one) for one in others))]
    heads = ["entrant", "mean KL", "p99 KL", "top-1", "perplexity", f"{IDS} float32"]
    rows = (_quality(one, entrants) for one in entrants)
    parts += [QUALITY, report.table([*heads, f"{IDS} satchel"], rows)]
    return "\n\n".join([*parts, "\n".join(map(report.described, entrants))])


def result(
    ours: DecoderEntrant, others: list[DecoderEntrant], conditions: dict[str, Any]
) -> dict[str, Any]:
    """Everything, for a JSON file."""
    entrants = [ours, *others]
    return report.result(ours, list(others), FIGURES, conditions) | {
        "ids_as_satchel": {one.name: _alike(ours, one) for one in entrants},
        "ids_as_float32": {one.name: _alike(_reference(entrants), one) for one in entrants},
    }


def _figures(entrant: Entrant) -> list[str]:
    return [entrant.name, *(cell(figure.values(entrant)) for figure in FIGURES)]


def _ratios(ours: Entrant, other: Entrant) -> list[str]:
    pairs = [
        ratios(ours.samples.get(figure.name, []), other.samples.get(figure.name, []))
        for figure in FIGURES
    ]
    return [other.name, *map(cell, pairs)]


def _quality(entrant: DecoderEntrant, entrants: Sequence[DecoderEntrant]) -> list[str]:
    shown = {"mean_kl": ".4f", "p99_kl": ".4f", "top1": ".3f", "perplexity": ".2f"}
    cells = [
        format(entrant.quality[key], form) if entrant.quality else "-"
        for key, form in shown.items()
    ]
    for against in (_reference(entrants), entrants[0]):
        count = _alike(against, entrant)
        cells.append("-" if count is None else f"{count} of {len(entrant.tokens)}")
    return [entrant.name, *cells]


def _reference(entrants: Sequence[DecoderEntrant]) -> DecoderEntrant | None:
    return next((one for one in entrants if one.name == REFERENCE), None)


def _alike(against: DecoderEntrant | None, entrant: DecoderEntrant) -> int | None:
    if not against or not against.tokens or not entrant.tokens:
        return None
    return alike(against.tokens, entrant.tokens)
