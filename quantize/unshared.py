"""One initializer for each product of an int8 weight that several products read. Knows no architecture.

ONNX Runtime makes int8 weights unsigned on x86 without VNNI (`session.x64quantprecision`), each under a
name made from the weight's: a second product of the same weight then fails to load (seen in 1.31.1).
"""

from __future__ import annotations

import onnx_ir as ir

from satchel.quantize.nodes import initializer

PRODUCT = "MatMulIntegerToFloat"
WEIGHT = 1  # its place among the inputs


def lower(graph: ir.Graph) -> None:
    """Give every product but the first a copy of its own; in the file they are the same bytes."""
    for value in list(graph.initializers.values()):
        products = [
            use.node for use in value.uses() if use.node.op_type == PRODUCT and use.idx == WEIGHT
        ]
        for number, node in enumerate(products[1:], 2):
            assert value.const_value is not None
            copy = initializer(graph, f"{value.name}.{number}", value.const_value.numpy())
            node.replace_input_with(WEIGHT, copy)
