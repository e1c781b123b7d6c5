"""What was to be reached, and whether it was."""

from __future__ import annotations

import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from report import cell, number, table


@dataclass(frozen=True)
class Target:
    """A bound that the median of some values has to keep: the least it may be, or the most."""

    name: str
    values: list[float]
    least: float | None = None
    most: float | None = None

    @property
    def met(self) -> bool:
        """Whether it was measured and kept."""
        if not self.values:
            return False
        median = statistics.median(self.values)
        above = self.least is None or median >= self.least
        return above and (self.most is None or median <= self.most)

    def row(self) -> list[str]:
        """Of a table: the bound, what was found, and a verdict in a word."""
        bounds = (("at least", self.least), ("at most", self.most))
        wanted = [f"{word} {number(bound)}" for word, bound in bounds if bound is not None]
        verdict = ("met" if self.met else "MISSED") if self.values else "not measured"
        return [self.name, ", ".join(wanted), cell(self.values), verdict]

    def result(self) -> dict[str, Any]:
        """For a JSON file."""
        return {"least": self.least, "most": self.most, "values": self.values, "met": self.met}


def targets_table(targets: Iterable[Target]) -> str:
    """All of them, in Markdown."""
    heads = ["target", "wanted", "found", "verdict"]
    return table(heads, (target.row() for target in targets))
