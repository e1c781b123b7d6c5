"""Weights in blocks, as MatMulNBits and GatherBlockQuantized read them. Knows no graph."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from satchel.quantize.rounding import Array, Grid, rounded

BITS = {"blocks8": 8, "blocks4": 4}  # by kind of scheme
BLOCK_SIZES = (16, 32, 64, 128, 256)  # what both kernels accept
GRIDS = {
    8: (255, 128),
    4: (15, None),
}  # by bits: the highest value, and the zero point of all blocks


@dataclass(frozen=True)
class Blocks:
    """A quantised matrix of `bits` 8 or 4, with `block` inputs to a scale.

    `values` are uint8 [outputs, blocks, bytes of a block], two 4-bit values to a byte, the first in the
    lower half; `scales` float32 [outputs, blocks]; `zeros` uint8 [outputs, bytes of all blocks], packed
    likewise, or None where all are 128. A weight is ``(value - zero) * scale``.
    """

    bits: int
    block: int
    values: NDArray[np.uint8]
    scales: Array
    zeros: NDArray[np.uint8] | None = None


def fitting(block: int, inputs: int) -> int | None:
    """The largest block up to `block` that divides `inputs`, if one does.

    Behind a block that is filled up with zeros the kernel adds up in an order that depends on the rows.
    """
    found = [size for size in BLOCK_SIZES if size <= block and inputs % size == 0]
    return found[-1] if found else None


def quantize(weight: Array, block: int, bits: int = 8, moment: Array | None = None) -> Blocks:
    """`weight` [outputs, inputs] in blocks, rounded as `moment` allows (see `rounding`).

    Inputs that do not fill the last block are padded with zeros.
    """
    if block not in BLOCK_SIZES:
        raise ValueError(f"block {block} is not one of {BLOCK_SIZES}")
    top, zero = GRIDS[bits]
    found = rounded(weight, Grid(block, top, zero), moment)
    outputs, inputs = weight.shape
    values = np.repeat(found.zeros, block, axis=1).astype(np.uint8)  # padding is zeros
    values[:, :inputs] = found.values
    if zero is not None:
        return Blocks(bits, block, values.reshape(outputs, -1, block), found.scales)
    packed = _packed(values).reshape(outputs, -1, block // 2)
    return Blocks(bits, block, packed, found.scales, _packed(found.zeros.astype(np.uint8)))


def dequantize(blocks: Blocks, inputs: int) -> Array:
    """The float32 [outputs, inputs] that the quantised matrix stands for."""
    outputs, count = blocks.scales.shape
    zeros: NDArray[np.float32] = np.full((outputs, count), 128, np.float32)
    values = blocks.values.reshape(outputs, -1)
    if blocks.zeros is not None:
        zeros = _unpacked(blocks.zeros)[:, :count].astype(np.float32)
        values = _unpacked(values)
    steps = values.reshape(outputs, count, blocks.block).astype(np.float32) - zeros[:, :, None]
    matrix: Array = (steps * blocks.scales[:, :, None]).reshape(outputs, -1)[:, :inputs]
    return matrix


def _packed(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Pairs of 4-bit values [rows, columns] in bytes."""
    even = np.pad(values, ((0, 0), (0, values.shape[1] % 2)))
    packed: NDArray[np.uint8] = even[:, ::2] | even[:, 1::2] << np.uint8(4)
    return packed


def _unpacked(packed: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return np.stack([packed & 15, packed >> 4], -1).reshape(len(packed), -1)
