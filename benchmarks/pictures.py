"""Draw saved results: python benchmarks/pictures.py RESULT.json ... --out FOLDER; see README.md."""

from __future__ import annotations

import argparse
import re
import sys
from collections.abc import Sequence
from pathlib import Path

import command
from comparison import Comparison, read


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


def draw(found: Sequence[Comparison], folder: Path) -> None:
    """A PNG for each chart of each comparison, and one page of all."""
    import charts  # matplotlib is an extra, and was asked for before anything was measured
    import page
    import png

    folder.mkdir(exist_ok=True)
    for comparison, name in zip(found, _names(found), strict=True):
        for chart in charts.charts(comparison):
            png.write(comparison, chart, folder / f"{name}-{chart.key}.png")
    (folder / "index.html").write_text(page.html(found), "utf-8")


def _names(found: Sequence[Comparison]) -> list[str]:
    """For files: letters and digits of a comparison's name, and a number where two are alike."""
    names: list[str] = []
    for comparison in found:
        name = re.sub(r"[^a-z0-9]+", "-", comparison.name.lower()).strip("-")
        again = sum(other.partition(".")[0] == name for other in names)
        names.append(f"{name}.{again + 1}" if again else name)
    return names


if __name__ == "__main__":
    main()
