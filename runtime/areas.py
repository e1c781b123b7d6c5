"""Scores of an image's places become a map of its labels, as large as the image. Knows no graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satchel.runtime.encoder_session import EncoderSession
from satchel.runtime.image import ImageFormat
from satchel.runtime.task_model import TaskModel, for_its_task

Array = NDArray[np.float32]


@dataclass(frozen=True)
class Areas:
    """A label for each pixel of an image: int32 [height, width], places in `labels`."""

    places: NDArray[np.int32]
    labels: list[str]

    def shares(self) -> dict[str, float]:
        """The labels that are there with the part of the image that they cover, the largest first."""
        counts = np.bincount(self.places.reshape(-1), minlength=len(self.labels))
        order = [int(index) for index in np.argsort(-counts, kind="stable") if counts[index]]
        return {self.labels[index]: float(counts[index] / self.places.size) for index in order}


def likeliest(scores: Array, size: tuple[int, int]) -> NDArray[np.int32]:
    """The label of each pixel of an image of `size`, by scores [rows, columns, labels] of its places.

    Between places scores are bilinear. One label at a time: all at once take hundreds of megabytes.
    """
    above, below, down = _between(scores.shape[0], size[0])
    left, right, along = _between(scores.shape[1], size[1])
    best, found = np.full(size, -np.inf, np.float32), np.zeros(size, np.int32)
    for label in range(scores.shape[2]):
        plane = scores[:, :, label]
        wide = plane[:, left] * (1 - along) + plane[:, right] * along
        whole = wide[above] * (1 - down)[:, None] + wide[below] * down[:, None]
        better = whole > best
        best[better], found[better] = whole[better], label
    return found


def _between(places: int, pixels: int) -> tuple[NDArray[Any], NDArray[Any], Array]:
    """For each pixel the place before it, the one behind, and how much of that one counts."""
    at = np.float32(places) / np.float32(pixels) * (np.arange(pixels, dtype=np.float32) + 0.5) - 0.5
    at = np.maximum(at, np.float32(0)).astype(np.float32)
    before = np.minimum(at.astype(np.int64), places - 1)
    return before, np.minimum(before + 1, places - 1), (at - before).astype(np.float32)


class SegmentsImages(TaskModel):
    """The method of models that give each place of an image a label."""

    graphs: Mapping[str, EncoderSession]
    image_format: ImageFormat | None

    @for_its_task
    def segment_images(self, images: Any) -> list[Areas]:
        """Areas per image, each as large as the image: paths, bytes, PIL images or uint8 arrays."""
        form, labels = self.image_format, self.manifest.labels
        assert form is not None and labels is not None
        items: Sequence[Any] = list(images) if isinstance(images, list | tuple) else [images]
        found = []
        for item in items:
            pixels, size = form.sized(item)
            scores = self.graphs["image"]({"pixel_values": pixels[None]})[0]
            found.append(Areas(likeliest(scores, size), labels.names))
        return found
