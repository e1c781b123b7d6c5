"""Samples as figures, table cells and JSON values. Measures nothing, knows no model."""

from __future__ import annotations

import dataclasses
import datetime
import platform
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from interleave import Entrant, ratios, spread

MEGA = 1e6


@dataclass(frozen=True)
class Phase:
    """Runs of a graph within a sample: for `rows` positions each, and its head for `heads` of them."""

    graph: str
    runs: int
    rows: int
    heads: int = 0


@dataclass(frozen=True)
class Figure:
    """One row of a table. Samples are seconds or bytes; `count` makes seconds a speed."""

    name: str
    unit: str
    count: int = 0  # tokens or texts in a sample's seconds
    work: tuple[Phase, ...] = ()  # what a sample has to do at least, where that is known

    def shown(self, sample: float) -> float:
        """A sample in the row's unit."""
        if self.count:
            return self.count / sample
        if self.unit == "ms":
            return sample * 1e3
        return sample / MEGA if self.unit == "MB" else sample

    def values(self, entrant: Entrant) -> list[float]:
        """All samples of an entrant in the row's unit."""
        return [self.shown(sample) for sample in entrant.samples.get(self.name, [])]

    @property
    def title(self) -> str:
        """Name and unit."""
        return f"{self.name} ({self.unit})"


def table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table; the first column is text, the others are figures."""
    lines = [heads, ["---", *["---:"] * (len(heads) - 1)], *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def cell(values: Sequence[float]) -> str:
    """Median (min to max); a dash where nothing was measured."""
    if not values:
        return "-"
    median, low, high = (number(value) for value in spread(values).values())
    return median if low == high else f"{median} ({low} to {high})"


def number(value: float) -> str:
    """Three digits of it, or all before the point."""
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def beside(figure: Figure, ours: Entrant, others: Sequence[Entrant]) -> list[str]:
    """A row of a table: the figure of all entrants, then ours by each other's, pair by pair."""
    mine = ours.samples.get(figure.name, [])
    compared = [ratios(mine, one.samples.get(figure.name, [])) for one in others]
    values = [figure.values(one) for one in (ours, *others)]
    return [figure.title, *map(cell, values), *map(cell, compared)]


def described(entrant: Entrant, *remarks: str) -> str:
    """An item of a list: versions, remarks, and why there are no figures."""
    versions = (f"{name} {text}" for name, text in entrant.versions.items() if name != "system")
    lines = [f"- {entrant.name}: {', '.join(versions) or 'did not run'}.", *remarks]
    if entrant.failure:
        lines.append(f"Failed: {entrant.failure}")
    if entrant.note:
        lines.append(entrant.note)
    return "\n  ".join(lines)


def alike(ours: Sequence[int], theirs: Sequence[int]) -> int:
    """How many ids two answers of one length begin with alike."""
    pairs = enumerate(zip(ours, theirs, strict=True))
    return next((i for i, (mine, their) in pairs if mine != their), len(ours))


def result(
    ours: Entrant, others: list[Entrant], figures: Sequence[Figure], conditions: dict[str, Any]
) -> dict[str, Any]:
    """Everything, for a JSON file: samples are seconds and bytes, in the order of the rounds."""
    return {
        "processor": processor(),
        "platform": platform.platform(),
        "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
        **conditions,
        "entrants": [dataclasses.asdict(entrant) for entrant in (ours, *others)],
        "figures": {
            entrant.name: {
                figure.title: spread(values)
                for figure in figures
                if (values := figure.values(entrant))
            }
            for entrant in (ours, *others)
        },
        "ratios": {other.name: _ratios(ours.samples, other.samples) for other in others},
    }


def _ratios(
    mine: Mapping[str, list[float]], theirs: Mapping[str, list[float]]
) -> dict[str, dict[str, Any]]:
    pairs = {name: ratios(mine[name], theirs[name]) for name in mine if name in theirs}
    return {name: spread(values) | {"pairs": values} for name, values in pairs.items()}


def processor() -> str:
    """The processor's name."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(names, platform.machine())
