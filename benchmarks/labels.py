"""Names beside points without covering each other or the points. Knows no figure of a comparison."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping

from matplotlib.axes import Axes
from matplotlib.text import Annotation
from matplotlib.transforms import Bbox

WIDE = 24  # letters of a line
DISTANCES = (8, 20, 34, 50)  # points between a name and what it names
# Where a name may stand, the best first: the direction from the point, horizontal and vertical.
PLACES = [
    (x * distance, y * distance)
    for distance in DISTANCES
    for x, y in (
        (1, 0),
        (0, 1),
        (0, -1),
        (-1, 0),
        (0.7, 0.7),
        (0.7, -0.7),
        (-0.7, 0.7),
        (-0.7, -0.7),
    )
]
CROSSING = 100.0  # pixels squared that a line over another name is as bad as
ALIGN = {-1: ("right", "top"), 0: ("center", "center"), 1: ("left", "bottom")}


def place(
    axes: Axes, points: Mapping[str, tuple[float, float, str]], bold: Iterable[str] = ()
) -> None:
    """Write each name's text beside its point (x, y, text), where it overlaps least."""
    renderer = axes.figure.canvas.get_renderer()
    frame = axes.get_window_extent(renderer)
    at = {name: axes.transData.transform((x, y)) for name, (x, y, _) in points.items()}
    size = renderer.points_to_pixels(6)
    taken = [Bbox.from_bounds(x - size, y - size, 2 * size, 2 * size) for x, y in at.values()]
    # From the crowd's outside in, names have the most room: the rightmost is placed first.
    for name in sorted(points, key=lambda one: -at[one][0]):
        x, y, text = points[name]
        label = axes.annotate(
            textwrap.fill(text, WIDE), (x, y), PLACES[0], textcoords="offset points", fontsize=8.5,
            weight="bold" if name in bold else "normal", zorder=5,
        )  # fmt: skip
        found = []
        for rank, offset in enumerate(PLACES):
            _move(label, offset)
            box = label.get_window_extent(renderer).padded(2)
            covered = sum(_overlap(box, other) for other in taken)
            outside = box.width * box.height - _overlap(box, frame)
            crossed = CROSSING * _crosses(at[name], box, taken)
            found.append((covered + 4 * outside + crossed, rank, box))
        _, rank, box = min(found, key=lambda one: one[:2])
        _move(label, PLACES[rank])
        if rank >= len(PLACES) // len(DISTANCES):
            axes.annotate(
                "", (x, y), PLACES[rank], textcoords="offset points",
                arrowprops={"arrowstyle": "-", "color": "#5c6670", "linewidth": 0.6, "shrinkB": 4},
            )  # fmt: skip
        taken.append(box)


def _move(label: Annotation, offset: tuple[float, float]) -> None:
    x, y = offset
    label.set_position(offset)
    label.set_ha(ALIGN[(x > 0) - (x < 0)][0])
    label.set_va(ALIGN[(y > 0) - (y < 0)][1])


def _crosses(point: tuple[float, float], box: Bbox, taken: Iterable[Bbox]) -> int:
    """How many of the others lie on the way from the point to the middle of a name."""
    (x, y), middle = point, ((box.x0 + box.x1) / 2, (box.y0 + box.y1) / 2)
    way = [(x + step * (middle[0] - x) / 20, y + step * (middle[1] - y) / 20) for step in range(21)]
    return sum(
        any(other.contains(*at) for at in way) for other in taken if not other.contains(x, y)
    )


def _overlap(one: Bbox, other: Bbox) -> float:
    both = Bbox.intersection(one, other)
    return float(both.width * both.height) if both else 0.0
