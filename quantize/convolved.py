"""Convolutions with int8 weights, one scale per output channel. Knows no architecture.

Where the user's images fixed scales of what a convolution reads and gives (see `planes.py`), its product
is one of 8-bit numbers: QuantizeLinear and DequantizeLinear stand around a Conv, and ONNX Runtime makes
them one QLinearConv. Elsewhere the product stays float32, and the weight is restored once, while a
session is opened:

    weight = float(values) * scales
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx_ir as ir
from numpy.typing import NDArray

from satchel.quantize.nodes import initializer, shape
from satchel.quantize.planes import Extent, Plane
from satchel.quantize.schemes import FP32, Scheme, channels

FEWEST = 8  # numbers of an output channel: with fewer its scale is a good part of what is saved
SUFFIX = ".weight"
Kernel = NDArray[np.float32]


def names(graph: Iterable[ir.Node]) -> list[str]:
    """The dotted names of the convolutions that can be kept in int8."""
    return [name_of(node) for node in graph if _fits(node)]


def name_of(node: ir.Node) -> str:
    """The dotted name of a convolution."""
    return str(_weight(node).name).removesuffix(SUFFIX)


def lower(graph: ir.Graph, scheme: Callable[[str], Scheme], planes: dict[str, Plane]) -> None:
    """Round the convolutions whose name `scheme` does not give float32.

    Those of a scheme that calibration fixes scales for are multiplied in int8, if `planes` has them.
    """
    convolutions = [node for node in graph if _fits(node)]
    work = _Convolutions(graph)
    for node in convolutions:
        name = name_of(node)
        chosen, plane = scheme(name), planes.get(name)
        if chosen is FP32:
            continue
        if plane is not None and chosen.by_range and not _end(node).is_graph_output():
            work.multiply(node, plane)
        else:
            work.restore(node)


@dataclass
class _Convolutions:
    """Rewrites convolutions of a graph one by one."""

    graph: ir.Graph
    steps: dict[ir.Value, float] = field(default_factory=dict)  # of values that came from uint8

    def restore(self, node: ir.Node) -> None:
        """The weight from int8, the product in float32."""
        values, scales = self._weight(node)
        array = scales.const_value
        assert array is not None and values.shape is not None
        column = array.numpy().reshape(-1, *[1] * (len(values.shape) - 1))
        factors = initializer(self.graph, f"{scales.name}.column", column)  # the same bytes
        whole = self._before(node, "Cast", [values], to=int(ir.DataType.FLOAT))
        node.replace_input_with(1, self._before(node, "Mul", [whole, factors]))

    def multiply(self, node: ir.Node, plane: Plane) -> None:
        """Inputs, weight and outputs in 8 bits."""
        x, bias = node.inputs[0], (*node.inputs, None)[2]
        assert x is not None
        if x not in self.steps:
            x = self._eight_bits(node, x, plane.inputs)
            node.replace_input_with(0, x)
        values, scales = self._weight(node)
        # Zero points of its own, as in `channel8`: ONNX Runtime 1.29 ends the process without.
        zeros = initializer(self.graph, f"{values.name}.zeros", np.zeros(shape(scales), np.int8))
        weight = self._before(node, "DequantizeLinear", [values, scales, zeros], axis=0)
        node.replace_input_with(1, weight)
        if bias is not None:
            assert bias.const_value is not None and scales.const_value is not None
            steps = scales.const_value.numpy() * np.float32(self.steps[x])
            node.replace_input_with(2, self._bias(node, bias.const_value.numpy(), steps))
        self._give_eight_bits(node, plane.outputs)

    def _bias(self, node: ir.Node, bias: Kernel, steps: Kernel) -> ir.Value:
        """A bias in int32, in the steps of the products."""
        least, most = np.iinfo(np.int32).min, np.iinfo(np.int32).max
        rounded = np.clip(np.rint(bias / np.float64(steps)), least, most).astype(np.int32)
        name = f"{node.name}/bias"
        values = initializer(self.graph, f"{name}.int32", rounded)
        scales = initializer(self.graph, f"{name}.scales", steps)
        return self._before(node, "DequantizeLinear", [values, scales], axis=0)

    def _give_eight_bits(self, node: ir.Node, span: Extent) -> None:
        """What a convolution gives in 8 bits, behind an activation that cuts numbers off."""
        end = _end(node)
        last = end.producer()
        assert last is not None
        span = span.within(*_bounds(last))
        uses = list(end.uses())
        following = next(other for other in self.graph if any(use.node is other for use in uses))
        rounded = self._eight_bits(following, end, span)
        for use in uses:
            use.node.replace_input_with(use.idx, rounded)

    def _eight_bits(self, before: ir.Node, x: ir.Value, span: Extent) -> ir.Value:
        """`x` through uint8 and back, once for all convolutions that read it."""
        scale = initializer(self.graph, f"{x.name}.scale", np.array(span.step, np.float32))
        zero = initializer(self.graph, f"{x.name}.zero", np.array(span.zero, np.uint8))
        bits = self._before(before, "QuantizeLinear", [x, scale, zero])
        restored = self._before(before, "DequantizeLinear", [bits, scale, zero])
        self.steps[restored] = float(np.float32(span.step))
        return restored

    def _weight(self, node: ir.Node) -> tuple[ir.Value, ir.Value]:
        """Values int8 in the shape of the kernel, and scales [outputs]."""
        weight = _weight(node)
        assert weight.const_value is not None
        kernel = np.asarray(weight.const_value.numpy(), np.float32)
        rounded = channels.quantize(kernel.reshape(len(kernel), -1))
        values = np.ascontiguousarray(rounded.values.T).reshape(kernel.shape)
        return (
            initializer(self.graph, f"{weight.name}.int8", values),
            initializer(self.graph, f"{weight.name}.int8.scales", rounded.scales),
        )

    def _before(
        self, node: ir.Node, op: str, inputs: list[ir.Value], **attributes: Any
    ) -> ir.Value:
        """The output of a new node that stands in front of another."""
        name = f"{node.name}.{op}.{inputs[0].name}"
        given = ir.convenience.convert_attributes(attributes)
        new = ir.Node("", op, inputs, given, num_outputs=1, name=name)
        new.outputs[0].name = f"{name}:0"
        self.graph.insert_before(node, new)
        return new.outputs[0]


def _fits(node: ir.Node) -> bool:
    """Whether a node is a convolution by a weight that is worth a scale for each output."""
    weight = node.inputs[1] if node.op_type == "Conv" else None
    if weight is None or not weight.is_initializer():
        return False
    return math.prod(shape(weight)[1:]) >= FEWEST


def _weight(node: ir.Node) -> ir.Value:
    weight = node.inputs[1]
    assert weight is not None
    return weight


def _end(node: ir.Node) -> ir.Value:
    """What a convolution gives, or the activation that cuts its numbers off, where nobody else reads
    them."""
    output = node.outputs[0]
    uses = list(output.uses())
    if output.is_graph_output() or len(uses) != 1 or _bounds(uses[0].node) == OPEN:
        return output
    return uses[0].node.outputs[0]


OPEN = (-np.inf, np.inf)


def _bounds(node: ir.Node) -> tuple[float, float]:
    """Where an activation cuts numbers off."""
    if node.op_type == "Relu":
        return 0.0, np.inf
    if node.op_type == "Clip":
        low, high = (_number(node, place, usual) for place, usual in ((1, -np.inf), (2, np.inf)))
        if low <= 0.0 <= high:
            return low, high
    return OPEN


def _number(node: ir.Node, place: int, usual: float) -> float:
    value = node.inputs[place] if place < len(node.inputs) else None
    if value is None:
        return usual
    return float(value.const_value.numpy()) if value.const_value is not None else np.nan
