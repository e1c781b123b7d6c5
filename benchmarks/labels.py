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
    at = [axes.transData.transform((x, y)).tolist() for x, y, _ in points.values()]
    size = renderer.points_to_pixels(6)
    dots = [(x - size, y - size, x + size, y + size) for x, y in at]
    labels = [_label(axes, point, name in bold) for name, point in points.items()]
    boxes = [_boxes(label, renderer) for label in labels]
    frame = axes.get_window_extent(renderer).extents.tolist()
    for label, point, rank in zip(
        labels, points.values(), Crowd(at, dots, boxes, frame).best(), strict=True
    ):
        _move(label, PLACES[rank])
        if _far(rank):
            axes.annotate(
                "", point[:2], PLACES[rank], textcoords="offset points",
                arrowprops={"arrowstyle": "-", "color": "#5c6670", "linewidth": 0.6, "shrinkB": 4},
            )  # fmt: skip


class Crowd:
    """Points, and what each one's name would cover at each place."""

    def __init__(
        self, points: Sequence[Point], dots: Sequence[Box], boxes: Sequence[list[Box]], frame: Box
    ) -> None:
        self.points = points
        self.boxes = boxes
        self.alone = [
            [
                sum(_overlap(box, dot) for dot in dots)
                + OUTSIDE * (_overlap(box, box) - _overlap(box, frame))
                + CROSSING * _crossed(point, box, dots) * _far(rank)
                + LATER * rank
                for rank, box in enumerate(places)
            ]
            for point, places in zip(points, boxes, strict=True)
        ]

    def best(self) -> list[int]:
        """Place of each name: from several beginnings, the end that costs least."""
        names = range(len(self.points))
        orders = [[*names[start:], *names[:start]][::way] for start in names for way in (1, -1)]
        return min(map(self._settled, orders), key=self._total, default=[])

    def _settled(self, order: Sequence[int]) -> list[int]:
        """Each name in turn where it is best beside those that have a place, until none moves."""
        chosen: list[int | None] = [None] * len(order)
        for _ in range(SWEEPS):
            before = list(chosen)
            for name in order:
                chosen[name] = min(
                    range(len(PLACES)), key=lambda rank, name=name: self._cost(name, rank, chosen)
                )
            if chosen == before:
                break
        return [rank for rank in chosen if rank is not None]

    def _total(self, chosen: Sequence[int]) -> float:
        return sum(self._cost(name, rank, chosen) for name, rank in enumerate(chosen))

    def _cost(self, name: int, rank: int, chosen: Sequence[int | None]) -> float:
        box, cost = self.boxes[name][rank], self.alone[name][rank]
        for other, place in enumerate(chosen):
            if other == name or place is None:
                continue
            theirs = self.boxes[other][place]
            cost += _overlap(box, theirs)
            if _far(rank):
                cost += CROSSING * _crossed(self.points[name], box, [theirs])
            if _far(place):
                cost += CROSSING * _crossed(self.points[other], theirs, [box])
        return cost


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
