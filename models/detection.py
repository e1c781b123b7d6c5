"""Heads that find objects: states of queries to boxes and labels. Knows no trunk."""

from __future__ import annotations

from torch import Tensor, nn

from satchel.models import any_size
from satchel.models.encoder import Tower
from satchel.models.layers import Linear
from satchel.models.vision_config import Size

TASKS = ("object-detection",)
# Of training alone.
COSTS = frozenset(
    [
        "auxiliary_loss",
        "bbox_cost",
        "bbox_loss_coefficient",
        "class_cost",
        "eos_coefficient",
        "giou_cost",
        "giou_loss_coefficient",
    ]
)
SIDES = 4  # of a box: the middle from the left and the top, width, height, as parts of the image


class Perceptron(nn.Module):
    """Three layers with a rectifier between."""

    def __init__(self, size: int, outputs: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Linear(size, width) for width in (size, size, outputs))

    def forward(self, x: Tensor) -> Tensor:
        first, second, last = self.layers
        return last(second(first(x).relu()).relu())


class ObjectsHead(nn.Module):
    """States of queries [batch, queries, size] to boxes [batch, queries, 4] within 0..1, and scores of
    labels and, behind them, of no object."""

    def __init__(self, size: int, labels: nn.Module) -> None:
        super().__init__()
        self.labels, self.boxes = labels, Perceptron(size, SIDES)

    def forward(self, states: Tensor) -> tuple[Tensor, Tensor]:
        return self.boxes(states).sigmoid(), self.labels(states)


class DetectionTower(Tower):
    """A tower whose last `queries` states each stand for an object or for none."""

    def __init__(
        self,
        trunk: nn.Module,
        head: ObjectsHead,
        size: int,
        queries: int,
        labels: int,
        length: int | str,
        image_size: Size | None,
    ) -> None:
        super().__init__(trunk, head, input_names=("pixel_values",), hidden_size=size)
        self.queries, batch = queries, any_size.batch(image_size)
        self.outputs = {
            "last_hidden_state": [batch, length, size],
            "boxes": [batch, queries, SIDES],
            "logits": [batch, queries, labels + 1],
        }

    def forward(self, *inputs: Tensor) -> list[Tensor]:
        states: Tensor = self.trunk(*inputs)
        assert self.head is not None
        return [states, *self.head(states[:, -self.queries :])]
