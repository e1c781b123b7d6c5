"""Weights in blocks of inputs, and the nodes that read them. Knows no profile.

Activations become int8 per row and block inside the kernel (MatMulNBits, accuracy_level 4): the better
one for one row, which only reads weights.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from satchel.quantize.calibrate import Statistics
from satchel.quantize.nodes import MICROSOFT, Replacement, operands, shape, weight_of
from satchel.quantize.rounding import Array, Grid, rounded
from satchel.quantize.schemes.scheme import Layer, Scheme

BLOCK_SIZES = (16, 32, 64, 128, 256)  # what both kernels accept
GRIDS = {
    8: (255, 128),
    4: (15, None),
}  # by bits: the highest value, and the zero point of all blocks


@dataclass(frozen=True)
class BlockScheme(Scheme):
    """MatMulNBits and GatherBlockQuantized, with one float32 scale per `block` inputs of each output."""

    bits: ClassVar[int]
    block: int = 64

    def fits_table(self, rows: int, width: int) -> bool:
        return fitting(self.block, width) is not None

    def bytes(self, outputs: int, inputs: int) -> int:
        block = self._block(inputs)
        blocks = -(-inputs // block)
        zeros = 0 if GRIDS[self.bits][1] is not None else -(-blocks // 2)
        return outputs * (blocks * (block * self.bits // 8 + 4) + zeros)

    def made(self, layer: Layer) -> Blocks:
        return self._quantized(layer.matrix, layer.moment)

    def restored(self, matrix: Array, moment: Array | None = None) -> Array:
        return dequantize(self._quantized(matrix, moment), matrix.shape[1])

    def linear(self, new: Replacement, weight: Blocks, statistics: Statistics) -> None:
        x, matrix, bias = operands(new.source)
        beside = _beside(new, weight)
        inputs = [x, new.initializer(f"{matrix.name}.blocks", weight.values), *beside]
        if bias is not None:
            inputs += [None] * (5 - len(inputs)) + [bias]
        new.add(
            "MatMulNBits",
            inputs,
            MICROSOFT,
            K=shape(matrix)[1],
            N=shape(matrix)[0],
            bits=weight.bits,
            block_size=weight.block,
            accuracy_level=4,  # without it the kernel unpacks all weights on every call
        )

    def embedding(self, new: Replacement, ids: ir.Value, weight: Blocks) -> None:
        beside = _beside(new, weight)
        rows = weight.values.reshape(len(weight.values), -1)  # a view: the same bytes
        new.add(
            "GatherBlockQuantized",
            [new.initializer(f"{weight_of(new.source).name}.rows", rows), ids, *beside],
            MICROSOFT,
            bits=weight.bits,
            block_size=weight.block,
            gather_axis=0,
            quantize_axis=1,
        )

    def _block(self, inputs: int) -> int:
        return fitting(self.block, inputs) or self.block

    def _quantized(self, matrix: Array, moment: Array | None) -> Blocks:
        return quantize(matrix, self._block(matrix.shape[1]), self.bits, moment)


def _beside(new: Replacement, weight: Blocks) -> list[ir.Value | None]:
    """The initializers that go with the values of a weight."""
    name = weight_of(new.source).name
    beside: list[ir.Value | None] = [new.initializer(f"{name}.scales", weight.scales)]
    if weight.zeros is not None:
        beside.append(new.initializer(f"{name}.zeros", weight.zeros))
    return beside


@dataclass(frozen=True)
class Blocks:
    """A quantised matrix; a weight is ``(value - zero) * scale``."""

    bits: int  # 8 or 4
    block: int  # inputs to a scale
    # [outputs, blocks, bytes of a block]; of two 4-bit values to a byte, the first in the lower half.
    values: NDArray[np.uint8]
    scales: Array  # [outputs, blocks]
    # [outputs, bytes of all blocks], packed likewise; None where all are 128.
    zeros: NDArray[np.uint8] | None = None


def fitting(block: int, inputs: int) -> int | None:
    """The largest block up to `block` that divides `inputs`, if one does.

    Behind a block that is filled up with zeros the kernel adds up in an order that depends on the rows.
    """
    sizes = [size for size in BLOCK_SIZES if size <= block and inputs % size == 0]
    return sizes[-1] if sizes else None


def quantize(weight: Array, block: int, bits: int = 8, moment: Array | None = None) -> Blocks:
    """`weight` [outputs, inputs] in blocks, rounded as `moment` allows (see `rounding`).

    Inputs that do not fill the last block are padded with zeros.
    """
    if block not in BLOCK_SIZES:
        raise ValueError(f"block {block} is not one of {BLOCK_SIZES}")
    top, zero = GRIDS[bits]
    quantized = rounded(weight, Grid(block, top, zero), moment)
    outputs, inputs = weight.shape
    values = np.repeat(quantized.zeros, block, axis=1).astype(np.uint8)  # padding is zeros
    values[:, :inputs] = quantized.values
    if zero is not None:
        return Blocks(bits, block, values.reshape(outputs, -1, block), quantized.scales)
    packed = _packed(values).reshape(outputs, -1, block // 2)
    return Blocks(bits, block, packed, quantized.scales, _packed(quantized.zeros.astype(np.uint8)))


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
