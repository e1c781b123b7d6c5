"""What was measured, as Markdown tables and as one JSON value. Measures nothing."""

from __future__ import annotations

import dataclasses
import platform
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interleave import Entrant, ratios, spread

MEGA = 1e6


@dataclass(frozen=True)
class Figure:
    """One row of a table. Samples are seconds or bytes; `tokens` makes seconds a speed."""

    name: str
    unit: str
    tokens: int = 0

    def shown(self, sample: float) -> float:
        """A sample in the row's unit."""
        if self.tokens:
            return self.tokens / sample
        return sample / MEGA if self.unit == "MB" else sample


PREFILL_128 = Figure("prefill 128", "tok/s", 128)
PREFILL_512 = Figure("prefill 512", "tok/s", 512)
DECODE = Figure("decode 64 after 128", "tok/s", 64)
LOAD = Figure("load to first token", "s")
START = Figure("process start to first token", "s")
MEMORY = Figure("peak memory", "MB")
SIZE = Figure("files", "MB")
FIGURES = (PREFILL_128, PREFILL_512, DECODE, LOAD, START, MEMORY, SIZE)


def tables(ours: Entrant, others: list[Entrant], threads: int) -> str:
    """The machine, the versions, and a Markdown table per peer."""
    versions = {name: text for one in (ours, *others) for name, text in one.versions.items()}
    listed = ", ".join(f"{name} {text}" for name, text in versions.items() if name != "system")
    heading = [f"{_processor()}, {threads} threads; {listed or 'nothing ran'}.", "", LEGEND]
    return "\n\n".join(["\n".join(heading), *(_section(ours, other) for other in others)])


LEGEND = "Median (min to max); ratio, pair by pair: above 1, satchel is faster or smaller."


def _section(ours: Entrant, other: Entrant) -> str:
    lines = [f"## {ours.name} and {other.name}", ""]
    if other.note:
        lines += [other.note, ""]
    if other.failure:
        lines += [f"{other.name} failed: {other.failure}", ""]
    lines += [f"| figure | {ours.name} | {other.name} | ratio |", "|---|---:|---:|---:|"]
    lines += [_row(figure, ours, other) for figure in FIGURES]
    return "\n".join(lines + _agreement(ours, other))


def _row(figure: Figure, ours: Entrant, other: Entrant) -> str:
    mine, theirs = (entrant.samples.get(figure.name, []) for entrant in (ours, other))
    cells = [
        f"{figure.name} ({figure.unit})",
        _cell([figure.shown(sample) for sample in mine]),
        _cell([figure.shown(sample) for sample in theirs]),
        _cell(ratios(mine, theirs)),
    ]
    return f"| {' | '.join(cells)} |"


def _cell(values: list[float]) -> str:
    if not values:
        return "-"
    median, low, high = (_number(value) for value in spread(values).values())
    return median if low == high else f"{median} ({low} to {high})"


def _number(value: float) -> str:
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def _agreement(ours: Entrant, other: Entrant) -> list[str]:
    if not (ours.tokens and other.tokens):
        return []
    return [
        "",
        f"After the first prompt the likeliest id is {ours.tokens[0]} for {ours.name} and "
        f"{other.tokens[0]} for {other.name}; the first {_alike(ours, other)} of "
        f"{len(ours.tokens)} greedy ids are the same.",
    ]


def _alike(ours: Entrant, other: Entrant) -> int:
    pairs = enumerate(zip(ours.tokens, other.tokens, strict=True))
    return next((i for i, (mine, their) in pairs if mine != their), len(ours.tokens))


def result(ours: Entrant, others: list[Entrant], conditions: dict[str, Any]) -> dict[str, Any]:
    """Everything, for a JSON file: samples are seconds and bytes, in the order of the rounds."""
    return {
        "processor": _processor(),
        "platform": platform.platform(),
        **conditions,
        "entrants": [dataclasses.asdict(entrant) for entrant in (ours, *others)],
        "figures": {one.name: _medians(one) for one in (ours, *others)},
        "ratios": {other.name: _ratios(ours.samples, other.samples) for other in others},
        "greedy_ids_alike": {
            other.name: _alike(ours, other) for other in others if ours.tokens and other.tokens
        },
    }


def _medians(entrant: Entrant) -> dict[str, Any]:
    measured = [figure for figure in FIGURES if figure.name in entrant.samples]
    return {
        f"{figure.name} ({figure.unit})": spread(
            [figure.shown(sample) for sample in entrant.samples[figure.name]]
        )
        for figure in measured
    }


def _ratios(
    mine: Mapping[str, list[float]], theirs: Mapping[str, list[float]]
) -> dict[str, dict[str, Any]]:
    pairs = {name: ratios(mine[name], theirs[name]) for name in mine if name in theirs}
    return {name: spread(values) | {"pairs": values} for name, values in pairs.items()}


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
