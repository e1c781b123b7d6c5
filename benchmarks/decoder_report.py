"""What was measured of decoders, as a Markdown table per peer and as one JSON value."""

from __future__ import annotations

from typing import Any

import report
from interleave import Entrant, ratios
from report import Figure, Phase, alike, cell

PREFILL_128 = Figure("prefill 128", "tok/s", 128, (Phase("decoder", 1, 128, 1),))
PREFILL_512 = Figure("prefill 512", "tok/s", 512, (Phase("decoder", 1, 512, 1),))
DECODE = Figure("decode 64 after 128", "tok/s", 64, (Phase("decoder", 64, 1, 1),))
LOAD = Figure("load to first token", "s")
START = Figure("process start to first token", "s")
MEMORY = Figure("peak memory", "MB")
SIZE = Figure("files", "MB")
FIGURES = (PREFILL_128, PREFILL_512, DECODE, LOAD, START, MEMORY, SIZE)
LEGEND = "Median (min to max); ratio, pair by pair: above 1, satchel is faster or smaller."


def tables(ours: Entrant, others: list[Entrant], threads: int) -> str:
    """The machine, the versions, and a Markdown table per peer."""
    versions = {name: text for one in (ours, *others) for name, text in one.versions.items()}
    listed = ", ".join(f"{name} {text}" for name, text in versions.items() if name != "system")
    heading = f"{report.processor()}, {threads} threads; {listed or 'nothing ran'}."
    return "\n\n".join([heading, LEGEND, *(_section(ours, other) for other in others)])


def result(ours: Entrant, others: list[Entrant], conditions: dict[str, Any]) -> dict[str, Any]:
    """Everything, for a JSON file."""
    return report.result(ours, others, FIGURES, conditions) | {
        "greedy_ids_alike": {
            other.name: alike(ours.tokens, other.tokens)
            for other in others
            if ours.tokens and other.tokens
        }
    }


def _section(ours: Entrant, other: Entrant) -> str:
    lines = [f"## {ours.name} and {other.name}"]
    if other.note:
        lines.append(other.note)
    if other.failure:
        lines.append(f"{other.name} failed: {other.failure}")
    heads = ("figure", ours.name, other.name, "ratio")
    lines.append(report.table(heads, (_row(figure, ours, other) for figure in FIGURES)))
    if ours.tokens and other.tokens:
        lines.append(
            f"After the first prompt the likeliest id is {ours.tokens[0]} for {ours.name} and "
            f"{other.tokens[0]} for {other.name}; the first {alike(ours.tokens, other.tokens)} of "
            f"{len(ours.tokens)} greedy ids are the same."
        )
    return "\n\n".join(lines)


def _row(figure: Figure, ours: Entrant, other: Entrant) -> tuple[str, ...]:
    mine, theirs = (entrant.samples.get(figure.name, []) for entrant in (ours, other))
    values = (figure.values(ours), figure.values(other), ratios(mine, theirs))
    return figure.title, *map(cell, values)
