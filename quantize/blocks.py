"""8-bit weights in blocks, as MatMulNBits and GatherBlockQuantized read them. Knows no graph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

BLOCK_SIZES = (16, 32, 64, 128, 256)  # what both kernels accept
ZERO_POINT = 128


@dataclass(frozen=True)
class Blocks:
    """A quantised matrix: `values` uint8 [outputs, blocks, block], `scales` float32 [outputs, blocks].

    A weight is ``(value - 128) * scale``.
    """

    values: NDArray[np.uint8]
    scales: NDArray[np.float32]

    @property
    def block(self) -> int:
        return int(self.values.shape[2])


def quantize(weight: NDArray[np.float32], block: int) -> Blocks:
    """Round `weight` [outputs, inputs] to the nearest of 255 steps per block of inputs.

    Inputs that do not fill the last block are padded with zeros.
    """
    if block not in BLOCK_SIZES:
        raise ValueError(f"block {block} is not one of {BLOCK_SIZES}")
    outputs, inputs = weight.shape
    count = -(-inputs // block)
    padded = np.zeros((outputs, count * block), np.float32)
    padded[:, :inputs] = weight
    blocks = padded.reshape(outputs, count, block)
    scales = np.abs(blocks).max(2) / np.float32(127)
    scales[scales == 0] = 1  # an empty block: any scale gives zeros
    blocks /= scales[:, :, None]
    np.rint(blocks, out=blocks)
    blocks += ZERO_POINT
    return Blocks(blocks.astype(np.uint8), scales)


def dequantize(blocks: Blocks, inputs: int) -> NDArray[np.float32]:
    """The float32 [outputs, inputs] that the quantised matrix stands for."""
    values = (blocks.values.astype(np.float32) - ZERO_POINT) * blocks.scales[:, :, None]
    return values.reshape(len(values), -1)[:, :inputs]
