"""Tables and picture of recorded figures: python benchmarks/figures.py; see README.md.

docs/figures/decoders.json has the figures; README.md, docs/figures.md and decoders.svg beside it follow.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
FIGURES = ROOT / "docs" / "figures"
FORMATS = {"load, s": ".2f", "mean KL": ".4f"}  # others are whole
SHORT = ("prompt of 128", "writing", "8 texts", "memory, MB", "files, MB", "mean KL")
PANELS = {  # what is drawn of an engine, and its unit
    "prompt of 128": "tokens/s",
    "writing": "tokens/s",
    "8 texts": "tokens/s",
    "memory, MB": "MB, less is better",
}
EDGE, NAMES, PANEL, BAR = 20, 140, 142, 84  # widths
HEAD, ROW, THICK, FOOT = 84, 38, 14, 50  # heights
STYLE = """
text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
.title { font-size: 15px; font-weight: 600; }
.strong { font-weight: 600; }
.note { font-size: 11.5px; }
"""
LIGHT, DARK = (  # as in page.css, but for the grey of bars
    {"page": "#ffffff", "text": "#1c2128", "note": "#5c6670", "bar": "#87919c", "ours": "#0072b2"},
    {"page": "#191e24", "text": "#e7eaee", "note": "#9ba5b0", "bar": "#6b7683", "ours": "#3fa9f5"},
)


@dataclass(frozen=True)
class Record:
    """Figures of one run, by engine in the order of the tables; `drawn` are those README shows."""

    model: str
    machine: str
    method: str
    command: str
    recorded: str  # the day they came here
    drawn: list[str]
    engines: list[dict[str, Any]]

    @classmethod
    def read(cls, path: Path) -> Record:
        return cls(**json.loads(path.read_text("utf-8")))

    def few(self) -> list[dict[str, Any]]:
        """The engines that README shows."""
        return [one for one in self.engines if one["engine"] in self.drawn]


def main() -> None:
    """Write all that follows from the record."""
    record = Record.read(FIGURES / "decoders.json")
    for path, text in written(record).items():
        path.write_text(text, "utf-8")


def written(record: Record) -> dict[Path, str]:
    """The files that follow, and what they hold."""
    long = [heading for heading in record.engines[0] if heading != "engine"]
    tables = {
        ROOT / "README.md": table(record.few(), SHORT),
        ROOT / "docs" / "figures.md": table(record.engines, long),
    }
    pages = {path: page(path.read_text("utf-8"), rows) for path, rows in tables.items()}
    return pages | {FIGURES / "decoders.svg": picture(record)}


def table(engines: Sequence[dict[str, Any]], headings: Sequence[str]) -> list[str]:
    """Lines of a table, a row for each engine."""
    rows = [["", *headings], ["---", *["---:"] * len(headings)]]
    rows += [[one["engine"], *(shown(one, name) for name in headings)] for one in engines]
    lines = [f"| {' | '.join(row)} |".replace("|  |", "| |") for row in rows]
    lines[1] = lines[1].replace(" ", "")
    return lines


def shown(engine: dict[str, Any], name: str) -> str:
    """A figure as the tables have it; "" where there is none."""
    value = engine[name]
    return "" if value is None else "0" if value == 0 else format(value, FORMATS.get(name, ".0f"))


def page(text: str, rows: list[str]) -> str:
    """A page with these rows in place of its table of engines."""
    lines = text.splitlines()
    start = next(place for place, line in enumerate(lines) if line.startswith("| | prompt of 128"))
    end = lines.index("", start)
    return "\n".join([*lines[:start], *rows, *lines[end:]]) + "\n"


def picture(record: Record) -> str:
    """Bars of README's engines as SVG, whose text is text; it follows a dark or light system."""
    engines = record.few()
    width = 2 * EDGE + NAMES + len(PANELS) * PANEL
    height = HEAD + ROW * len(engines) + FOOT
    names = ", ".join(name.partition(",")[0] for name in PANELS)
    described = f"{record.model} in {len(engines)} engines: {names}"
    return "\n".join([
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" aria-label="{escape(described)}">',
        f"<style>{STYLE}{_colours(LIGHT)}",
        f"@media (prefers-color-scheme: dark) {{\n{_colours(DARK)}}}\n</style>",
        f'<rect class="page" width="{width}" height="{height}" rx="8"/>',
        _text(EDGE, 30, record.model, "title"),
        *_engines(engines),
        *(line for place, name in enumerate(PANELS) for line in _panel(engines, place, name)),
        _text(EDGE, height - 30, f"{record.machine}; {record.method}", "note"),
        _text(EDGE, height - 14, f"{record.command}, recorded {record.recorded}", "note"),
        "</svg>\n",
    ])  # fmt: skip


def _colours(scheme: dict[str, str]) -> str:
    fills = {
        ".page": "page",
        "text": "text",
        ".note": "note",
        ".bar": "bar",
        ".bar.ours": "ours",
    }
    return "".join(f"{place} {{ fill: {scheme[name]}; }}\n" for place, name in fills.items())


def _engines(engines: Sequence[dict[str, Any]]) -> Iterator[str]:
    """The name of each row; what stands behind its first word goes below it."""
    for row, one in enumerate(engines):
        first, _, rest = one["engine"].replace("`", "").partition(" ")
        y = HEAD + ROW * row + ROW / 2
        yield _text(EDGE, y - 2, first.rstrip(","), _kind(one))
        yield _text(EDGE, y + 12, rest, "note")


def _panel(engines: Sequence[dict[str, Any]], place: int, name: str) -> Iterator[str]:
    """One figure: a bar and its number in each row."""
    x = EDGE + NAMES + place * PANEL
    yield _text(x, HEAD - 30, name.partition(",")[0], "strong")
    yield _text(x, HEAD - 14, PANELS[name], "note")
    most = max(one[name] for one in engines)
    for row, one in enumerate(engines):
        length = BAR * one[name] / most
        y = HEAD + ROW * row + (ROW - THICK) / 2
        look = "bar ours" if _ours(one) else "bar"
        box = f'x="{x}" y="{y:g}" width="{length:.1f}" height="{THICK}" rx="2"'
        yield f'<rect class="{look}" {box}/>'
        yield _text(round(x + length + 6, 1), y + THICK - 2, shown(one, name), _kind(one))


def _kind(engine: dict[str, Any]) -> str:
    return "strong" if _ours(engine) else ""


def _ours(engine: dict[str, Any]) -> bool:
    return str(engine["engine"]).startswith("satchel")


def _text(x: float, y: float, text: str, kind: str = "") -> str:
    look = f' class="{kind}"' if kind else ""
    return f'<text{look} x="{x:g}" y="{y:g}">{escape(text)}</text>'


if __name__ == "__main__":
    main()
