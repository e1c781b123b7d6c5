"""One page of comparisons that needs nothing but itself: pictures as SVG, and tables. Draws nothing.

The SVG take their colours from the page's style sheet, so that they follow a dark or a light system.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

import charts
import matplotlib as mpl
from comparison import Comparison
from limits import Limits

STYLE = Path(__file__).with_name("page.css")
SHEET = {charts.TEXT: "text", charts.MUTED: "muted", charts.GRID: "grid", charts.SURFACE: "surface"}
SHEET |= {colour: f"series-{index}" for index, colour in enumerate((charts.OURS, *charts.PEERS))}
TIDY = (
    (r"<metadata>.*?</metadata>\s*", ""),
    (
        r'(<svg[^>]*?) width="[^"]*" height="[^"]*"',
        r"\1",
    ),  # its box is as wide as the page lets it be
    (r'<g id="[^"]*"', "<g"),
    (r"<!--.*?-->\s*", ""),
    (r"'DejaVu Sans'[^;\"]*", "var(--font)"),
)
Rows = Iterable[Sequence[str]]


def html(found: Sequence[Comparison]) -> str:
    """The whole page."""
    title = "satchel: " + ", ".join(comparison.name for comparison in found)
    body = "\n".join(_section(comparison) for comparison in found)
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>\n{STYLE.read_text('utf-8')}</style>\n</head>\n"
        f"<body>\n<main>\n<h1>{escape(title)}</h1>\n{body}\n</main>\n</body>\n</html>\n"
    )


def _section(comparison: Comparison) -> str:
    parts = [f"<h2>{escape(comparison.name)}</h2>", _conditions(comparison), _notes(comparison)]
    for chart in charts.charts(comparison):
        parts.append(f"<h3>{escape(chart.title)}</h3>")
        if chart.key == "limits":
            parts.append(f"<p>{escape(_limits(comparison))}</p>")
        drawn = "".join(
            f"<figure>{_svg(panel, f'{chart.title}, {panel.title}')}</figure>"
            for panel in chart.panels
        )
        parts.append(f'<div class="panels">{drawn}</div>')
    return "\n".join([*parts, *_tables(comparison)])


def _conditions(comparison: Comparison) -> str:
    versions = _list(comparison.versions())
    return (
        f"{_list(comparison.conditions())}\n"
        f"<details><summary>Versions</summary>{versions}</details>"
    )


def _list(pairs: Iterable[tuple[str, str]]) -> str:
    items = (f"<dt>{escape(name)}</dt><dd>{escape(value)}</dd>" for name, value in pairs)
    return f"<dl>{''.join(items)}</dl>"


def _notes(comparison: Comparison) -> str:
    """What did not run and why, and what a reader of an entrant's figures must know."""
    lines = [
        f"<li><strong>{escape(one['name'])}</strong> {word}{escape(one[key])}</li>"
        for key, word in (("failure", "failed: "), ("note", ""))
        for one in comparison.entrants
        if one.get(key)
    ]
    return f'<ul class="notes">{"".join(lines)}</ul>' if lines else ""


def _limits(comparison: Comparison) -> str:
    limits = Limits(**comparison.result["limits"]).described()
    return (
        f"{limits} A share is the least time that this allows the linear layers, by the time taken."
    )


def _svg(panel: charts.Panel, title: str) -> str:
    """A panel in the colours of the style sheet."""
    file = io.StringIO()
    # Letters stay letters, and what a drawing names has another name in every drawing of the page.
    with mpl.rc_context({"svg.fonttype": "none", "svg.hashsalt": title}):
        charts.render([panel]).savefig(file, format="svg", metadata={"Date": None})
    text = file.getvalue()
    text = text[text.index("<svg") :]
    for pattern, new in TIDY:
        text = re.sub(pattern, new, text, flags=re.DOTALL)
    for colour, name in SHEET.items():
        text = text.replace(colour, f"var(--{name})")
    label = f'role="img" aria-label="{escape(title)}" '
    return re.sub(r"\n\s*", "\n", text.replace("<svg ", f"<svg {label}", 1))


def _tables(comparison: Comparison) -> Iterable[str]:
    names = [one["name"] for one in comparison.entrants]
    figures = [(title, comparison.values(title)) for title in comparison.titles]
    rows = [[title, *(_spread(values.get(name)) for name in names)] for title, values in figures]
    yield _table("Figures: median (min to max)", ["", *names], rows)
    ratios = comparison.result.get("ratios") or {}
    wanted = list(dict.fromkeys(figure for found in ratios.values() for figure in found))
    if wanted:
        rows = [[one, *(_spread(found.get(one)) for found in ratios.values())] for one in wanted]
        heading = "Ratios, pair by pair: above 1, satchel is faster or smaller"
        yield _table(heading, ["", *ratios], rows)
    shares = comparison.shares()
    if shares:
        rows = [
            [title, *(f"{found[name]:.0%}" if name in found else "-" for name in names)]
            for title, found in shares.items()
        ]
        yield _table("Share of the machine's limit", ["", *names], rows)
    qualities = comparison.qualities()
    kinds = list(dict.fromkeys(kind for found in qualities.values() for kind in found))
    if kinds:
        rows = [
            [kind, *(_close(qualities.get(name, {}).get(kind)) for name in names)] for kind in kinds
        ]
        yield _table("Beside float32", ["", *names], rows)


def _table(heading: str, heads: Sequence[str], rows: Rows) -> str:
    top = "".join(f'<th scope="col">{escape(head)}</th>' for head in heads)
    lines = "".join(
        f'<tr><th scope="row">{escape(first)}</th>'
        + "".join(f"<td>{escape(cell)}</td>" for cell in cells)
        + "</tr>\n"
        for first, *cells in rows
    )
    return (
        f"<h3>{escape(heading)}</h3>\n"
        f'<div class="wide"><table><thead><tr>{top}</tr></thead>\n<tbody>{lines}</tbody></table></div>'
    )


def _spread(spread: dict[str, float] | None) -> str:
    if spread is None:
        return "-"
    median, low, high = (charts.number(spread[key]) for key in charts.SPREAD)
    return median if low == high else f"{median} ({low} to {high})"


def _close(value: float | None) -> str:
    return (
        "-"
        if value is None
        else f"{value:.4g}"
        if value < 0.9
        else f"{value:.5f}".rstrip("0").rstrip(".")
    )
