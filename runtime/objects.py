"""Scores and boxes of a graph become the objects in an image. Knows no graph."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satchel.runtime.encoder_session import EncoderSession
from satchel.runtime.errors import UsageError, shown
from satchel.runtime.image import ImageFormat
from satchel.runtime.scores import activated
from satchel.runtime.task_model import TaskModel, for_its_task

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Detected:
    """An object in an image: its label, how sure that is within 0..1, and the box around it in pixels of
    the image: left, top, right, bottom."""

    label: str
    score: float
    box: tuple[float, float, float, float]


def found_objects(
    logits: Array, boxes: Array, size: tuple[int, int], labels: list[str], threshold: float
) -> list[Detected]:
    """Those surer than `threshold`, the surest first, in an image of a `size`.

    `logits` [queries, labels + 1] end with that of no object; `boxes` [queries, 4] are the middle from
    the left and the top, width and height, as parts of the image.
    """
    scores = activated(logits, "softmax")[:, :-1]
    best = scores.argmax(1)
    surest = scores[np.arange(len(scores)), best]
    middle, half = boxes[:, :2], np.float32(0.5) * boxes[:, 2:]
    height, width = size
    corners = np.concatenate([middle - half, middle + half], 1)
    corners = corners * np.array([width, height] * 2, np.float32)
    order = np.argsort(-surest, kind="stable")
    return [
        Detected(labels[best[index]], float(surest[index]), tuple(corners[index].tolist()))
        for index in order.tolist()
        if surest[index] > threshold
    ]


class DetectsObjects(TaskModel):
    """The method of models that find objects in images."""

    graphs: Mapping[str, EncoderSession]
    image_format: ImageFormat | None

    @for_its_task
    def detect_objects(self, images: Any, *, threshold: float = 0.5) -> list[list[Detected]]:
        """The objects of each image that are surer than `threshold`, the surest first: of paths, bytes,
        PIL images or uint8 arrays."""
        if isinstance(threshold, bool) or not isinstance(threshold, int | float):
            raise UsageError(f"threshold = {shown(threshold)}; expected a number in 0..1")
        if not 0 <= threshold <= 1:
            raise UsageError(f"threshold = {threshold} is outside 0..1")
        form, labels, found = self.image_format, self.manifest.labels, []
        assert form is not None and labels is not None
        for item in list(images) if isinstance(images, list | tuple) else [images]:
            pixels, size = form.sized(item)
            inputs = {"pixel_values": pixels[None]}
            boxes, logits = self.graphs["image"].several(inputs, ["boxes", "logits"])
            found.append(found_objects(logits[0], boxes[0], size, labels.names, threshold))
        return found
