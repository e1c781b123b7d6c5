"""A chart as a PNG that is understood alone: with its heading and conditions."""

from __future__ import annotations

import textwrap
from pathlib import Path
from typing import Any

import charts
from comparison import Comparison
from matplotlib.figure import Figure

COLUMNS = 2  # panels side by side
DOTS = 180  # per inch
HEAD, FOOT = 0.75, 0.5  # inches
LETTERS = 68  # of the footer, that a panel is wide
SHOWN = ("processor", "threads", "rounds", "date", "warning")


def write(comparison: Comparison, chart: charts.Chart, path: Path) -> None:
    """Panels in columns, between a heading and the conditions."""
    columns = min(COLUMNS, len(chart.panels))
    figure = charts.render(chart.panels, columns, HEAD, FOOT)
    said = dict(comparison.conditions())
    parts = [
        f"{said[name]} {name}" if name in ("threads", "rounds") else said[name]
        for name in SHOWN
        if name in said
    ]
    height = figure.get_size_inches()[1]
    _line(figure, height - 0.36, chart.title, charts.TEXT, fontsize=15, weight="bold")
    _line(figure, height - 0.6, comparison.name, charts.MUTED, fontsize=10)
    footer = textwrap.fill(", ".join(parts), LETTERS * columns)
    _line(figure, 0.14, footer, charts.MUTED, fontsize=8)
    figure.savefig(path, dpi=DOTS, facecolor=charts.SURFACE)


def _line(figure: Figure, y: float, text: str, colour: str, **font: Any) -> None:
    """A text at the left edge, `y` inches above the lower one."""
    width, height = figure.get_size_inches()
    figure.text(0.12 / width, y / height, text, color=colour, family="DejaVu Sans", **font)
