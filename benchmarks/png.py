"""A chart as a PNG that is understood alone: with its heading and conditions."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import charts
from comparison import Comparison
from matplotlib.figure import Figure

COLUMNS = 2  # panels side by side
DOTS = 180  # per inch
HEAD, FOOT = 0.55, 0.35  # inches


def write(comparison: Comparison, chart: charts.Chart, path: Path) -> None:
    """Panels in columns under a heading."""
    columns = min(COLUMNS, len(chart.panels))
    figure = charts.render(chart.panels, columns, HEAD, FOOT)
    _caption(figure, f"{chart.title}: {comparison.name}", comparison.conditions())
    figure.savefig(path, dpi=DOTS, facecolor=charts.SURFACE)


def _caption(figure: Figure, heading: str, conditions: Iterable[tuple[str, str]]) -> None:
    """A heading, and the conditions below."""
    width, height = figure.get_size_inches()
    said = dict(conditions)
    parts = [said["processor"], f"{said['threads']} threads"]
    if "rounds" in said:
        parts.append(f"{said['rounds']} rounds")
    parts += [said[name] for name in ("date", "warning") if name in said]
    x = 0.12 / width
    font = {"family": "DejaVu Sans"}
    figure.text(
        x, 1 - 0.36 / height, heading, fontsize=14, weight="bold", color=charts.TEXT, **font
    )
    figure.text(x, 0.14 / height, ", ".join(parts), fontsize=8, color=charts.MUTED, **font)
