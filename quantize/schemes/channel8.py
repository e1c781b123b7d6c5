"""Linear layers with int8 weights per output and uint8 activations, multiplied by MatMulIntegerToFloat.

    q = round(x / scale) + zero point
    y = (q - zero point) @ weight * scale * scales + bias

What norms and attention give is bounded: calibration fixes its scale. What activations give has a
scale per token.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import onnx_ir as ir
import torch
from torch import Tensor

from satchel.quantize.calibrate import Range, Statistics
from satchel.quantize.nodes import (
    MICROSOFT,
    NORMS,
    Replacement,
    layer_name,
    operands,
    weight_of,
)
from satchel.quantize.rounding import Array
from satchel.quantize.schemes import channels
from satchel.quantize.schemes.channels import Channels
from satchel.quantize.schemes.fp32 import FP32
from satchel.quantize.schemes.scheme import Layer, Scheme

FEW_OUTPUTS = 32  # a head of a few labels: quantising it saves nothing
FEW_ROWS = 1024  # a table of no more stays float32, and its head is a layer of its own
SMALLEST = 1e-12  # of a scale, where a token is all zeros
BOUNDED = (*NORMS, "MultiHeadAttention", "GroupQueryAttention")  # what they give has bounds
FLOORS = {"Gelu": -0.1701, "QuickGelu": -0.2785, "Relu": 0.0}  # least values of activations
FLOOR_STEPS = 24  # steps below zero for an activation with a floor, which leaves 231 above


@dataclass(frozen=True)
class Weight:
    """The weight of a layer, the same for all its uses, and what their inputs are divided by first."""

    channels: Channels
    factors: Array | None = None


@dataclass(frozen=True)
class Channel8(Scheme):
    """MatMulIntegerToFloat: 8-bit weights, symmetric, one float32 scale per output; activations uint8
    with a scale from calibration or one per token. The better kernel for many rows."""

    kind: ClassVar[str] = "channel8"
    by_range: ClassVar[bool] = True
    by_moment: ClassVar[bool] = True

    def better(self) -> tuple[Scheme, float]:
        return FP32, 0.0

    def fits_layer(self, outputs: int, inputs: int) -> bool:
        return outputs > FEW_OUTPUTS

    def fits_table(self, rows: int, width: int) -> bool:
        return rows > FEW_ROWS

    def bytes(self, outputs: int, inputs: int) -> int:
        return outputs * (inputs + 4)

    def made(self, layer: Layer) -> Weight:
        """Its weight is smoothed where any use reads what a norm gives: a layer that is passed many
        times, as ALBERT's are, may read something else on the first."""
        matrix, name, moment = layer.matrix, layer.name, layer.moment
        known = name in layer.statistics.ranges
        if not known or not any(_operator(node) in NORMS for node in layer.uses):
            return Weight(channels.quantize(matrix, moment))
        factors = channels.smoothing(matrix, layer.statistics.largest(name))
        moment = None if moment is None else moment / factors / factors[:, None]
        return Weight(channels.quantize(matrix * factors, moment), factors)

    def restored(self, matrix: Array, moment: Array | None = None) -> Array:
        quantized = channels.quantize(matrix, moment)
        return np.ascontiguousarray((quantized.values * quantized.scales).T)

    def rounding(self, matrix: Array, seen: Range | None) -> Callable[[Tensor], Tensor]:
        return steps_of_tokens if seen is None else fixed_steps(matrix, seen)

    def linear(self, new: Replacement, weight: Weight, statistics: Statistics) -> None:
        x, _, bias = operands(new.source)
        name, operator, factors = layer_name(new.source), _operator(new.source), weight.factors
        static = operator in BOUNDED and name in statistics.ranges
        if factors is not None:
            x = _divided(new, x, factors)
        if static:
            low, high = statistics.ranges[name]
            if factors is not None:
                low, high = low / factors, high / factors
            rounded = _by_calibration(new, x, float(low.min()), float(high.max()))
        else:
            rounded = _by_token(new, x, FLOORS.get(operator) if factors is None else None)
        _multiply(new, rounded, weight.channels, bias, static)

    def embedding(self, new: Replacement, ids: ir.Value, weight: Weight) -> None:
        """A row is a column of what the head multiplies by."""
        table = weight.channels
        values, scales = _initializers(new, table)
        column = new.initializer(f"{scales.name}.rows", table.scales[:, None])  # the same bytes
        rows = new.add("Gather", [values, ids], axis=1)  # [width, ...]
        rows = new.add("Transpose", [rows], perm=_turned(ids))
        rows = new.add("Cast", [rows], to=int(ir.DataType.FLOAT))
        new.add("Mul", [rows, new.add("Gather", [column, ids], axis=0)])


CHANNEL8 = Channel8()


def fixed_steps(matrix: Array, seen: Range) -> Callable[[Tensor], Tensor]:
    """What rounds the inputs of a layer to 256 steps that calibration fixes, smoothed before."""
    least, most = seen
    factors = channels.smoothing(matrix, np.maximum(most, -least))
    low, high = min(float((least / factors).min()), 0.0), max(float((most / factors).max()), 0.0)
    step, scales = (high - low) / 255 or 1.0, torch.from_numpy(factors)

    def rounded(x: Tensor) -> Tensor:
        steps = (x / scales / step).round().clamp(round(low / step), round(high / step))
        return steps * step * scales

    return rounded


def steps_of_tokens(x: Tensor) -> Tensor:
    """`x` [..., inputs] in 255 steps of each token's own."""
    step = x.abs().amax(-1, keepdim=True).clamp(min=SMALLEST) / 127
    return (x / step).round() * step


Rounded = tuple[ir.Value, ir.Value, ir.Value]  # uint8 activations, their scale and zero point


def _multiply(
    new: Replacement, rounded: Rounded, weight: Channels, bias: ir.Value | None, static: bool
) -> None:
    x, scale, zero = rounded
    values, scales = _initializers(new, weight)
    # ONNX Runtime 1.29 ends the process where a product names no zero point of its weights and the
    # processor is an x86 without VNNI; each product has its own, see `quantize/unshared.py`
    zero_of_weights = new.initializer(f"{values.name}.zero", np.array(0, np.int8))
    inputs = [x, values, scale, scales, zero, zero_of_weights]
    if bias is None:
        new.add("MatMulIntegerToFloat", inputs, MICROSOFT)
    elif static:
        new.add("MatMulIntegerToFloat", [*inputs, bias], MICROSOFT)
    else:  # the kernel's own bias would be multiplied with the token's scale
        new.add("Add", [new.add("MatMulIntegerToFloat", inputs, MICROSOFT), bias])


def _initializers(new: Replacement, weight: Channels) -> tuple[ir.Value, ir.Value]:
    name = f"{weight_of(new.source).name}.int8"
    return new.initializer(name, weight.values), new.initializer(f"{name}.scales", weight.scales)


def _turned(ids: ir.Value) -> list[int]:
    """The permutation that puts the first axis of [width, *ids] last."""
    assert ids.shape is not None
    return [*range(1, len(ids.shape) + 1), 0]


def _divided(new: Replacement, x: ir.Value, factors: Array) -> ir.Value:
    """What a norm gives over `factors`: by its gain, if nobody else reads it, or by a node."""
    name, norm = layer_name(new.source), x.producer()
    if norm is None or norm.op_type not in NORMS or len(x.uses()) > 1 or x.is_graph_output():
        return new.add("Mul", [x, new.initializer(f"{name}.smoothing", 1 / factors)])
    for place in NORMS[norm.op_type]:
        weight = norm.inputs[place] if place < len(norm.inputs) else None
        if weight is not None:
            assert weight.const_value is not None
            smoothed = weight.const_value.numpy().astype(np.float32) / factors
            # A layer passed many times may be behind several norms.
            smoother = new.initializer(f"{name}.smoothed.{weight.name}", smoothed)
            norm.replace_input_with(place, smoother)
    return x


def _operator(node: ir.Node) -> str:
    """The operator whose numbers a layer reads, in whatever shape."""
    producer = operands(node)[0].producer()
    while producer is not None and producer.op_type == "Reshape" and producer.inputs[0] is not None:
        producer = producer.inputs[0].producer()
    return producer.op_type if producer is not None else ""


def _by_calibration(new: Replacement, x: ir.Value, low: float, high: float) -> Rounded:
    """One scale and zero point for ever; what lies outside of the range is cut off."""
    low, high = min(low, 0.0), max(high, 0.0)
    step = max((high - low) / 255, SMALLEST)
    scale = new.constant(step, np.float32)
    zero = new.constant(round(-low / step), np.uint8)
    return new.add("QuantizeLinear", [x, scale, zero]), scale, zero


def _by_token(new: Replacement, x: ir.Value, floor: float | None) -> Rounded:
    """A scale [..., 1] per token.

    An activation that never goes far below zero needs few steps there: the zero point is low, and the
    scale at least so large that they reach the floor.
    """
    # One scale of the whole input would make a text's answer depend on what shares its batch.
    axis = new.initializer("constant.last_axis", np.array([-1], np.int64))
    if floor is None:
        zero_point, least, reach = 128, SMALLEST, new.add("Abs", [x])
    else:
        zero_point, reach = (FLOOR_STEPS if floor else 0), x
        least = max(SMALLEST, -floor / FLOOR_STEPS)
    largest = new.add("ReduceMax", [reach, axis], keepdims=1)
    scale = new.add("Mul", [largest, new.constant(1 / (255 - zero_point), np.float32)])
    scale = new.add("Max", [scale, new.constant(least, np.float32)])
    zero = new.constant(zero_point, np.uint8)
    scaled = new.add("Div", [x, scale])
    return new.add("QuantizeLinear", [scaled, new.constant(1, np.float32), zero]), scale, zero
