"""Make nodes and initializers of a graph that is being lowered. Knows no scheme."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import onnx_ir as ir

MICROSOFT = "com.microsoft"
NORMS = {  # where their gain is, and their bias
    "LayerNormalization": (1, 2),
    "SkipLayerNormalization": (2, 3),
    "RMSNormalization": (1,),
    "SkipSimplifiedLayerNormalization": (2,),
}


def weight_of(node: ir.Node) -> ir.Value:
    """The weight of an abstract node."""
    value = node.inputs[1 if node.op_type == "Linear" else 0]
    assert value is not None
    return value


def matrix_of(node: ir.Node) -> np.ndarray[Any, np.dtype[np.float32]]:
    """The weight of an abstract node as float32 [outputs or rows, inputs or width]."""
    weight = weight_of(node)
    assert weight.const_value is not None
    return np.asarray(weight.const_value.numpy(), np.float32)


def operands(node: ir.Node) -> tuple[ir.Value, ir.Value, ir.Value | None]:
    """Input, weight and bias of an abstract linear layer."""
    x, weight, bias = (*node.inputs, None)[:3]
    assert x is not None and weight is not None
    return x, weight, bias


def layer_name(node: ir.Node) -> str:
    """The dotted name of the layer an abstract node stands for."""
    return str(weight_of(node).name).removesuffix(".weight")


def shape(value: ir.Value) -> tuple[int, ...]:
    """The axes of `value` that are numbers."""
    assert value.shape is not None
    return tuple(int(axis) for axis in value.shape if isinstance(axis, int))


def initializer(graph: ir.Graph, name: str, array: np.ndarray[Any, Any]) -> ir.Value:
    """The initializer of that name, made from `array` where the graph has none yet.

    Raises ValueError where the graph has one with other data.
    """
    if name not in graph.initializers:
        tensor = ir.Tensor(array, name=name)
        value = ir.Value(
            name=name, shape=tensor.shape, type=ir.TensorType(tensor.dtype), const_value=tensor
        )
        graph.register_initializer(value)
        return value
    known = graph.initializers[name]
    assert known.const_value is not None
    there = known.const_value.numpy()
    if there.dtype != array.dtype or not np.array_equal(there, array):
        raise ValueError(f"the graph has an initializer {name} with other data")
    return known


class Replacement:
    """The nodes that take the place of one abstract node, in their order."""

    def __init__(self, graph: ir.Graph, source: ir.Node) -> None:
        self.graph, self.source = graph, source
        self.nodes: list[ir.Node] = []

    def add(
        self, op: str, inputs: Sequence[ir.Value | None], domain: str = "", **attributes: Any
    ) -> ir.Value:
        """Append a node with one output; the last one's takes the place of the abstract node's."""
        attrs = ir.convenience.convert_attributes(attributes)
        name = f"{layer_name(self.source)}/{op}/{self.source.name}/{len(self.nodes)}"
        node = ir.Node(domain, op, inputs, attrs, num_outputs=1, name=name)
        node.outputs[0].name = f"{name}:0"
        self.nodes.append(node)
        return node.outputs[0]

    def initializer(self, name: str, array: np.ndarray[Any, Any]) -> ir.Value:
        """The initializer of that name, as `initializer` makes or finds it."""
        return initializer(self.graph, name, array)

    def constant(self, value: float | int, dtype: type[np.generic]) -> ir.Value:
        """A scalar, one initializer per value and type."""
        return self.initializer(f"constant.{dtype.__name__}.{value:.9g}", np.array(value, dtype))

    def carry_out(self) -> None:
        """Put the nodes into the graph in place of the abstract node."""
        old, new = self.source.outputs[0], self.nodes[-1].outputs[0]
        new.name, new.shape, new.type = old.name, old.shape, old.type
        ir.convenience.replace_nodes_and_values(
            self.graph, self.source, [self.source], self.nodes, [old], [new]
        )
