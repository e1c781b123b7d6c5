"""Draw saved results: python benchmarks/pictures.py RESULT.json ... --out FOLDER; see README.md."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import charts
import command
import page
from comparison import Comparison, read, split
from matplotlib.figure import Figure

COLUMNS = 2  # panels side by side in a PNG
DOTS = 180  # per inch of a PNG
HEAD, FOOT = 0.55, 0.35  # inches


def main() -> None:
    """Read, draw."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("results", nargs="+", type=Path, help="written by --json")
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="made if need be")
    options = parser.parse_args()
    command.check_pictures(parser, options.out)
    found = []
    for path in options.results:
        try:
            found += read(path)
        except (OSError, ValueError) as error:
            sys.exit(f"{path}: {error}; expected what a comparison command wrote with --json")
    draw(found, options.out)


def comparisons(made: dict[str, Any]) -> list[Comparison]:
    """Of what a command is about to write as JSON."""
    return split(made)


def draw(found: Sequence[Comparison], folder: Path) -> None:
    """A PNG for each chart of each comparison, and one page of all."""
    folder.mkdir(exist_ok=True)
    for comparison, name in zip(found, _names(found), strict=True):
        for chart in charts.charts(comparison):
            _png(comparison, chart, folder / f"{name}-{chart.key}.png")
    (folder / "index.html").write_text(page.html(found), "utf-8")


def _names(found: Sequence[Comparison]) -> list[str]:
    """For files: letters and digits of a comparison's name, and a number where two are alike."""
    names: list[str] = []
    for comparison in found:
        name = re.sub(r"[^a-z0-9]+", "-", comparison.name.lower()).strip("-")
        again = sum(other.partition(".")[0] == name for other in names)
        names.append(f"{name}.{again + 1}" if again else name)
    return names


def _png(comparison: Comparison, chart: charts.Chart, path: Path) -> None:
    columns = min(COLUMNS, len(chart.panels))
    figure = charts.render(chart.panels, columns, HEAD, FOOT)
    _caption(figure, f"{chart.title}: {comparison.name}", comparison.conditions())
    figure.savefig(path, dpi=DOTS, facecolor=charts.SURFACE)


def _caption(figure: Figure, heading: str, conditions: Any) -> None:
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


if __name__ == "__main__":
    main()
