"""Initializers of its own for each product of an int8 weight that several products read. Knows no
architecture.

ONNX Runtime makes int8 weights and their zero points unsigned on x86 without VNNI
(`session.x64quantprecision`), each under a name made from its own: a second product of the same one then
fails to load (seen in 1.31.1).
"""

from __future__ import annotations

import onnx_ir as ir

from satchel.quantize.nodes import initializer

PRODUCT = "MatMulIntegerToFloat"
WEIGHT, ZERO = 1, 5  # their places among the inputs


def lower(graph: ir.Graph) -> None:
    """Give every product but the first copies of its own; in the file they are the same bytes."""
    for value in list(graph.initializers.values()):
        products = [
            use.node
            for use in value.uses()
            if use.node.op_type == PRODUCT and use.idx in (WEIGHT, ZERO)
        ]
        for number, node in enumerate(products[1:], 2):
            assert value.const_value is not None
            copy = initializer(graph, f"{value.name}.{number}", value.const_value.numpy())
            node.replace_input_with(node.inputs.index(value), copy)
