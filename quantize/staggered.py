"""Rows of int8 weights that do not crowd the processor's cache. Knows no architecture.

A product packs a few columns of 128 rows at a time: natively once, in WebAssembly in every run. Rows that
lie whole pages apart fall on the same few lines of the cache, and the product takes twice as long.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from satchel.quantize.nodes import initializer
from satchel.quantize.unshared import PRODUCT, WEIGHT

PAGE, LINE = 4096, 64  # bytes
BY_OUTPUT = (WEIGHT, 3, 6)  # inputs of the product with a number for each output: scales, and bias


def lower(graph: ir.Graph) -> None:
    """Give weights [inputs, outputs] of whole pages of outputs a line more, of zeros.

    What the product gives is cut to its outputs. A table, which is the same weight, has no ids there.
    """
    for node in [node for node in graph if node.op_type == PRODUCT]:
        weight = node.inputs[WEIGHT]
        outputs = _width(weight)
        if not outputs or outputs % PAGE:
            continue
        for place in BY_OUTPUT:
            value = node.inputs[place] if place < len(node.inputs) else None
            if value is not None and _width(value) == outputs:  # not widened for another product
                _widen(value)
        _cut(graph, node, outputs)


def _width(value: ir.Value | None) -> int:
    """The last axis of an initializer; 0 of a scalar and of what is none."""
    constant = None if value is None else value.const_value
    return constant.numpy().shape[-1] if constant is not None and len(constant.shape) else 0


def _widen(value: ir.Value) -> None:
    assert value.const_value is not None
    array = value.const_value.numpy()
    wide = np.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, LINE)])
    value.const_value = ir.Tensor(wide, name=str(value.name))
    value.shape = ir.Shape(wide.shape)


def _cut(graph: ir.Graph, node: ir.Node, outputs: int) -> None:
    old = node.outputs[0]
    ends = [("zero", 0), (f"outputs.{outputs}", outputs), ("last_axis", -1)]
    places = [
        initializer(graph, f"constant.{name}", np.array([end], np.int64)) for name, end in ends
    ]
    # A new product, since what the old one gives keeps its name and its readers.
    wide = ir.Node(
        node.domain, PRODUCT, node.inputs, node.attributes.values(), num_outputs=1, name=node.name
    )
    wide.outputs[0].name = f"{node.name}/wide"
    cut = ir.Node("", "Slice", [wide.outputs[0], *places], num_outputs=1, name=f"{node.name}/Slice")
    new = cut.outputs[0]
    new.name, new.shape, new.type = old.name, old.shape, old.type
    ir.convenience.replace_nodes_and_values(graph, node, [node], [wide, cut], [old], [new])
