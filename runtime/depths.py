"""How far away the pixels of an image are: a graph's map made as large as the image. Knows no graph."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satchel.runtime.encoder_session import EncoderSession
from satchel.runtime.image import ImageFormat
from satchel.runtime.task_model import TaskModel, for_its_task

Array = NDArray[np.float32]
SHARPNESS = -0.75  # of the cubic (Keys, 1981) between four places, as torch has it


def cubic(plane: Array, size: tuple[int, int]) -> Array:
    """float32 [rows, columns] as [height, width] of a `size`, by a cubic between four places a side."""
    for axis, pixels in enumerate(size):
        places, weights = _taps(plane.shape[axis], pixels)
        if axis == 0:
            weights = weights[:, :, None]
        parts = [
            plane.take(place, axis) * weight for place, weight in zip(places, weights, strict=True)
        ]
        plane = (parts[0] + parts[1] + parts[2] + parts[3]).astype(np.float32)
    return plane


def _taps(places: int, pixels: int) -> tuple[NDArray[np.int64], Array]:
    """For each pixel the four places around it and how much of each counts, both [4, pixels]."""
    at = np.float32(places) / np.float32(pixels) * (np.arange(pixels, dtype=np.float32) + 0.5) - 0.5
    first = np.floor(at)
    part = (at - first).astype(np.float32)
    around = first.astype(np.int64) + np.arange(-1, 3)[:, None]
    a = SHARPNESS

    def near(x: Array) -> Array:
        return ((a + 2) * x - (a + 3)) * x * x + 1

    def far(x: Array) -> Array:
        return ((a * x - 5 * a) * x + 8 * a) * x - 4 * a

    weights = np.stack([far(part + 1), near(part), near(1 - part), far(2 - part)])
    return around.clip(0, places - 1), weights.astype(np.float32)


class EstimatesDepth(TaskModel):
    """The method of models that say how far away each pixel of an image is."""

    graphs: Mapping[str, EncoderSession]
    image_format: ImageFormat | None

    @for_its_task
    def estimate_depth(self, images: Any) -> list[Array]:
        """float32 [height, width] per image, as large as it: paths, bytes, PIL images or uint8 arrays.

        What the numbers are is the model's: metres, or more for what is nearer, in no unit.
        """
        form, found = self.image_format, []
        assert form is not None
        for item in list(images) if isinstance(images, list | tuple) else [images]:
            pixels, size = form.sized(item)
            found.append(cubic(self.graphs["image"]({"pixel_values": pixels[None]})[0], size))
        return found
