"""Names beside points without covering each other or the points. Knows no figure of a comparison."""

from __future__ import annotations

import textwrap
from collections.abc import Collection, Mapping, Sequence

from matplotlib.axes import Axes
from matplotlib.text import Annotation

WIDE = 24  # letters of a line
DISTANCES = (8, 20, 34, 50, 70)  # points between a name and what it names
DIRECTIONS = ((1, 0), (0, 1), (0, -1), (-1, 0), (0.7, 0.7), (0.7, -0.7), (-0.7, 0.7), (-0.7, -0.7))
PLACES = [(x * far, y * far) for far in DISTANCES for x, y in DIRECTIONS]  # the best first
ALIGN = {-1: ("right", "top"), 0: ("center", "center"), 1: ("left", "bottom")}
# Costs in square pixels, beside what a name covers: of each place further down the list, of a pixel
# outside, and of a line to a name that passes through another name or point.
LATER, OUTSIDE, CROSSING = 12.0, 4.0, 3000.0
SWEEPS = 4  # over all names, each put where it is best beside the others
Point = tuple[float, float]
Box = tuple[float, float, float, float]  # left, low, right, high


def place(
    axes: Axes, points: Mapping[str, tuple[float, float, str]], bold: Collection[str] = ()
) -> None:
    """Write each name's text beside its point (x, y, text), and a line to it where that is far."""
    renderer = axes.figure.canvas.get_renderer()
    frame = axes.get_window_extent(renderer).extents.tolist()
    at = {name: axes.transData.transform((x, y)) for name, (x, y, _) in points.items()}
    size = renderer.points_to_pixels(6)
    dots = [(x - size, y - size, x + size, y + size) for x, y in at.values()]
    labels = {name: _label(axes, point, name in bold) for name, point in points.items()}
    boxes = {name: _boxes(label, renderer) for name, label in labels.items()}
    chosen: dict[str, int] = {}

    def cost(name: str, rank: int) -> float:
        box = boxes[name][rank]
        others = {other: boxes[other][at_] for other, at_ in chosen.items() if other != name}
        taken = [*dots, *others.values()]
        crossed = _crossed(at[name], box, taken) if _far(rank) else 0
        for other, theirs in others.items():
            if _far(chosen[other]):
                crossed += _crossed(at[other], theirs, [box])
        covered = sum(_overlap(box, other) for other in taken)
        outside = _overlap(box, box) - _overlap(box, frame)
        return covered + OUTSIDE * outside + CROSSING * crossed + LATER * rank

    for _ in range(SWEEPS):
        for name in points:
            chosen[name] = min(range(len(PLACES)), key=lambda rank, name=name: cost(name, rank))
    for name, rank in chosen.items():
        _move(labels[name], PLACES[rank])
        if _far(rank):
            axes.annotate(
                "", points[name][:2], PLACES[rank], textcoords="offset points",
                arrowprops={"arrowstyle": "-", "color": "#5c6670", "linewidth": 0.6, "shrinkB": 4},
            )  # fmt: skip


def _label(axes: Axes, point: tuple[float, float, str], bold: bool) -> Annotation:
    x, y, text = point
    return axes.annotate(
        textwrap.fill(text, WIDE), (x, y), PLACES[0], textcoords="offset points", fontsize=8.5,
        weight="bold" if bold else "normal", zorder=5,
    )  # fmt: skip


def _boxes(label: Annotation, renderer: object) -> list[Box]:
    """What the label would cover at each place."""
    boxes = []
    for offset in PLACES:
        _move(label, offset)
        boxes.append(tuple(label.get_window_extent(renderer).padded(2).extents.tolist()))
    return boxes


def _move(label: Annotation, offset: Point) -> None:
    x, y = offset
    label.set_position(offset)
    label.set_ha(ALIGN[(x > 0) - (x < 0)][0])
    label.set_va(ALIGN[(y > 0) - (y < 0)][1])


def _far(rank: int) -> bool:
    """Whether a place needs a line."""
    return rank >= len(DIRECTIONS)


def _crossed(point: Point, box: Box, others: Sequence[Box]) -> int:
    """How many of the others lie on the way from the point to a name."""
    (x, y), (left, low, right, high) = point, box
    along, up = min(max(x, left), right) - x, min(max(y, low), high) - y
    way = [(x + along * step / 12, y + up * step / 12) for step in range(13)]
    return sum(any(_holds(other, at) for at in way) for other in others if not _holds(other, point))


def _holds(box: Box, point: Point) -> bool:
    return box[0] < point[0] < box[2] and box[1] < point[1] < box[3]


def _overlap(one: Box, other: Box) -> float:
    width = min(one[2], other[2]) - max(one[0], other[0])
    height = min(one[3], other[3]) - max(one[1], other[1])
    return width * height if width > 0 and height > 0 else 0.0
