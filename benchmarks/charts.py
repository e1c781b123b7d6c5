"""Pictures of a comparison with matplotlib: panels of one width, alone or side by side. Reads no file.

Colours are those of Okabe and Ito, told apart by the colour-blind too. Bars have their names beside them,
lines and points have markers: colour only groups.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from comparison import LEAST, LESS, Comparison, Quality, Spread, bare, unit
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

WIDTH = 4.6  # inches of a panel, small enough to be read on a phone
TEXT, MUTED, GRID, SURFACE = "#1c2128", "#5c6670", "#dde1e6", "#ffffff"
OURS = "#0072b2"
PEERS = ("#e69f00", "#009e73", "#cc79a7", "#d55e00", "#8c6d31", "#7f7f7f", "#56b4e9")
MARKERS = "osD^vPX<>*"
SPREAD = ("median", "min", "max")
ROW, BAR = 0.42, 0.15  # inches of a bar with its name, and of the bar
PLOT = 2.4  # inches of a plot with a legend below
STYLE: Any = {  # keys that matplotlib knows as literals
    "font.family": "DejaVu Sans",
    "font.size": 9.5,
    "text.color": TEXT,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": GRID,
    "axes.grid": True,
    "axes.grid.axis": "both",
    "axes.axisbelow": True,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "grid.color": GRID,
    "grid.linewidth": 0.7,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "ytick.minor.size": 0,
}


@dataclass(frozen=True)
class Panel:
    """One picture: what it shows, its height in inches, its margins, and how it is drawn."""

    title: str
    note: str
    height: float
    draw: Callable[[Axes], None]
    left: float = 0.12
    bottom: float = 0.4


@dataclass(frozen=True)
class Chart:
    """Panels that belong together."""

    key: str
    title: str
    panels: list[Panel]


def charts(comparison: Comparison) -> list[Chart]:
    """All that a comparison has figures for."""
    looks = Looks([one["name"] for one in comparison.entrants])
    found = [
        Chart("speed", "Speed", _bars(comparison, comparison.speeds, looks)),
        Chart("lengths", "Speed against length", _lengths(comparison, looks)),
        Chart("quality", "Quality against speed", _qualities(comparison, looks)),
        Chart("limits", "Share of the machine's limit", _shares(comparison, looks)),
        Chart(
            "resources", "Loading, memory, files", _bars(comparison, comparison.resources, looks)
        ),
    ]
    return [chart for chart in found if chart.panels]


class Looks:
    """The colour and marker of each entrant: one colour for satchel, one for each other engine."""

    def __init__(self, names: Sequence[str]) -> None:
        others = dict.fromkeys(_engine(name) for name in names if not ours(name))
        colours = dict(zip(others, itertools.cycle(PEERS)))
        self.colours = {name: colours.get(_engine(name), OURS) for name in names}
        self.markers = dict(zip(names, itertools.cycle(MARKERS)))

    def weight(self, name: str) -> str:
        """Of its name's letters."""
        return "bold" if ours(name) else "normal"


def ours(name: str) -> bool:
    """Whether an entrant is satchel's."""
    return _engine(name) == "satchel"


def _engine(name: str) -> str:
    return name.split()[0].rstrip(",")


def render(panels: Sequence[Panel], columns: int = 1, head: float = 0, foot: float = 0) -> Figure:
    """A figure of panels in columns, with room for a heading and a footer in inches."""
    with mpl.rc_context(STYLE):
        stacks = [panels[start::columns] for start in range(columns)]
        tall = max(sum(panel.height for panel in stack) for stack in stacks)
        size = (WIDTH * columns, tall + head + foot)
        figure = Figure(figsize=size, facecolor="none")
        FigureCanvasAgg(figure)
        for column, stack in enumerate(stacks):
            top = size[1] - head
            for panel in stack:
                _draw(figure, panel, column * WIDTH, top)
                top -= panel.height
        return figure


def _draw(figure: Figure, panel: Panel, x: float, top: float) -> None:
    width, height = figure.get_size_inches()
    low, high = top - panel.height + panel.bottom, top - 0.5
    box = (x + panel.left, low, WIDTH - panel.left - 0.17, high - low)
    axes = figure.add_axes((box[0] / width, box[1] / height, box[2] / width, box[3] / height))
    axes.set_facecolor("none")
    panel.draw(axes)
    at: dict[str, Any] = {"ha": "left", "va": "baseline"}
    figure.text(
        (x + 0.12) / width, (top - 0.24) / height, panel.title, fontsize=11, weight="bold", **at
    )
    figure.text(
        (x + 0.12) / width, (top - 0.42) / height, panel.note, fontsize=8.5, color=MUTED, **at
    )


def _bars(comparison: Comparison, titles: Sequence[str], looks: Looks) -> list[Panel]:
    return [
        _bar_panel(
            bare(title),
            f"{unit(title)}, {'less' if unit(title) in LESS else 'more'} is better",
            comparison.values(title),
            looks,
            less=unit(title) in LESS,
        )
        for title in titles
    ]


def _shares(comparison: Comparison, looks: Looks) -> list[Panel]:
    panels = []
    for title, by_entrant in comparison.shares().items():
        percent = {name: dict.fromkeys(SPREAD, 100 * share) for name, share in by_entrant.items()}
        note = "% of what the machine's limits allow, more is better"
        panels.append(_bar_panel(bare(title), note, percent, looks, at_least=100))
    return panels


def _bar_panel(
    title: str,
    note: str,
    values: dict[str, Spread],
    looks: Looks,
    less: bool = False,
    at_least: float = 0,
) -> Panel:
    """The best on top; a line from min to max; the name and the median above each bar."""
    names = sorted(values, key=lambda name: values[name]["median"] * (1 if less else -1))

    def draw(axes: Axes) -> None:
        limit = max(at_least, *(spread["max"] for spread in values.values())) * 1.02
        axes.set(xlim=(0, limit), ylim=(len(names) - 0.65, -0.65))
        axes.grid(axis="y", visible=False)
        axes.set_yticks([])
        axes.spines["left"].set_visible(False)
        axes.xaxis.set_major_locator(mpl.ticker.MaxNLocator(5))
        axes.xaxis.set_major_formatter(lambda value, _: number(value))
        for row, name in enumerate(names):
            spread = values[name]
            axes.barh(row, spread["median"], BAR / ROW, color=looks.colours[name])
            _whisker(axes, spread, row)
            style: dict[str, Any] = {"va": "bottom", "fontsize": 9, "weight": looks.weight(name)}
            y = row - 0.5 * BAR / ROW - 0.04
            axes.text(0, y, name, ha="left", **style)
            axes.text(limit, y, number(spread["median"]), ha="right", **style)

    return Panel(title, note, 0.9 + ROW * len(names), draw)


def _whisker(axes: Axes, spread: Spread, y: float) -> None:
    if spread["min"] < spread["max"]:
        axes.plot(
            [spread["min"], spread["max"]], [y, y], color=TEXT, linewidth=1.1, marker="|", ms=5
        )


def _lengths(comparison: Comparison, looks: Looks) -> list[Panel]:
    """Lines over the tokens of a call."""
    points = comparison.lengths()
    names = [one["name"] for one in comparison.entrants if any(one["name"] in p[1] for p in points)]
    if len(points) < 2 or not names:
        return []
    batched = any("x" in label for label, _ in points)

    def draw(axes: Axes) -> None:
        for name in names:
            places = [index for index, (_, rates) in enumerate(points) if name in rates]
            found = [points[index][1][name] for index in places]
            medians = [spread["median"] for spread in found]
            errors = [
                [spread["median"] - spread["min"] for spread in found],
                [spread["max"] - spread["median"] for spread in found],
            ]
            axes.errorbar(
                places, medians, yerr=errors, color=looks.colours[name], marker=looks.markers[name],
                markersize=7, linewidth=2.4 if ours(name) else 1.5, elinewidth=1, capsize=2.5,
                markeredgecolor=SURFACE, markeredgewidth=0.6, zorder=4 if ours(name) else 3, label=name,
            )  # fmt: skip
        axes.set_xticks(range(len(points)), [label for label, _ in points])
        axes.set(xlim=(-0.3, len(points) - 0.7), ylim=(0, None))
        axes.set(
            xlabel="texts x tokens in a call" if batched else "tokens in a call", ylabel="tok/s"
        )
        axes.yaxis.set_major_formatter(lambda value, _: number(value))
        bars: list[Any] = axes.get_legend_handles_labels()[0]  # containers of a line and its errors
        _legend(axes, [bar[0] for bar in bars], names, looks)

    return [_with_legend("Tokens read", "tok/s, more is better", len(names), draw)]


def _with_legend(title: str, note: str, names: int, draw: Callable[[Axes], None]) -> Panel:
    """A panel whose `draw` ends with a `_legend` of so many names."""
    bottom = 0.6 + 0.19 * names
    return Panel(title, note, 0.5 + PLOT + bottom, draw, 0.75, bottom)


def _legend(axes: Axes, handles: Sequence[Any], names: Sequence[str], looks: Looks) -> None:
    """The looks of all names, below the plot."""
    legend = axes.legend(
        handles, names, loc="upper left", frameon=False, fontsize=9, bbox_to_anchor=(-0.02, -0.5 / PLOT),
        borderpad=0, borderaxespad=0, labelspacing=0.35,
    )  # fmt: skip
    for text, name in zip(legend.get_texts(), names, strict=True):
        text.set_fontweight(looks.weight(name))


def _qualities(comparison: Comparison, looks: Looks) -> list[Panel]:
    quality = comparison.quality()
    if quality is None:
        return []
    titles = {bare(title): title for title in comparison.speeds}
    found = [(name, *comparison.rates(titles[name])) for name in quality.speeds if name in titles]
    return [
        _scatter(name, per, rates, quality, looks)
        for name, per, rates in found
        if rates.keys() & quality.values.keys()
    ]


def _scatter(
    name: str, per: str, rates: dict[str, Spread], quality: Quality, looks: Looks
) -> Panel:
    both = [one for one in rates if one in quality.values]
    apart = [quality.values[one] for one in both if quality.values[one] > LEAST] or [LEAST * 10]
    floor = min(apart) / 4  # the place of what does not differ at all
    low, high = floor / 1.6, max(apart) * 2.5

    def draw(axes: Axes) -> None:
        axes.set_yscale("log")
        axes.set_xlim(0, max(rates[one]["max"] for one in both) * 1.12)
        axes.set_ylim(low, high)
        axes.yaxis.set_major_locator(
            mpl.ticker.LogLocator(subs=(1, 2, 5) if high < 60 * low else (1,))
        )
        axes.yaxis.set_major_formatter(lambda value, _: number(value))
        axes.set(xlabel=f"{name}, {per}", ylabel=quality.title)
        axes.xaxis.set_major_formatter(lambda value, _: number(value))
        axes.yaxis.set_minor_formatter(mpl.ticker.NullFormatter())
        handles, names = [], []
        for one in both:
            spread, exact = rates[one], quality.values[one] <= LEAST
            x, y = spread["median"], floor if exact else quality.values[one]
            axes.plot([spread["min"], spread["max"]], [y, y], color=looks.colours[one], linewidth=1)
            handles += axes.plot(
                x, y, looks.markers[one], color=looks.colours[one], ms=10 if ours(one) else 8,
                markeredgecolor=SURFACE, markeredgewidth=0.8, zorder=4,
            )  # fmt: skip
            names.append(one + " (exact)" * exact)
        _legend(axes, handles, names, looks)

    note = "better to the right and further down"
    return _with_legend(f"Quality against {name}", note, len(both), draw)


def number(value: float) -> str:
    """Three digits of it, or all before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
