"""8-bit weights with one scale per output, and the smoothing of their inputs. Knows no graph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
SMOOTHING = 0.75  # measured on all-MiniLM-L6-v2: 0.65 and 0.85 are both further from float32


@dataclass(frozen=True)
class Channels:
    """A quantised matrix: `values` int8 [inputs, outputs], `scales` float32 [outputs].

    A weight is ``value * scale``; the matrix lies as MatMulInteger reads it.
    """

    values: NDArray[np.int8]
    scales: Array


def quantize(weight: Array) -> Channels:
    """Round `weight` [outputs, inputs] to the nearest of 255 steps per output."""
    scales = np.abs(weight).max(1) / np.float32(127)
    scales[scales == 0] = 1  # an empty row: any scale gives zeros
    values = np.rint(weight / scales[:, None]).astype(np.int8)
    return Channels(np.ascontiguousarray(values.T), scales)


def smoothing(weight: Array, largest: Array) -> Array:
    """What each input is divided by, and its column of `weight` [outputs, inputs] multiplied with.

    `largest` [inputs] is how far each input goes from zero. A channel that goes further than the
    others would make the step of its whole token coarse; the weights, which have one scale per output,
    take most of the difference over (SmoothQuant, Xiao et al., 2022).
    """
    columns = np.maximum(np.abs(weight).max(0), 1e-5)
    factors: Array = np.maximum(largest, 1e-5) ** SMOOTHING / columns ** (1 - SMOOTHING)
    return factors / factors.mean()
