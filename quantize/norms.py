"""Norms with a residual sum, as the graph's number of rows wants them. Knows no scheme."""

from __future__ import annotations

import onnx_ir as ir


def split(graph: ir.Graph) -> None:
    """Replace every SkipLayerNormalization by Sum and LayerNormalization.

    For one row the single node is the better one; for many rows the two take a third of its time.
    """
    for node in [node for node in graph if node.op_type == "SkipLayerNormalization"]:
        x, skip, gain, bias = node.inputs[:4]
        normed, total = node.outputs[0], node.outputs[3]
        # Not Add: ONNX Runtime would fuse it with the norm to the single node again.
        added = ir.Node("", "Sum", [x, skip], num_outputs=1, name=f"{node.name}/Sum")
        attributes = [node.attributes["epsilon"], ir.AttrInt64("axis", -1)]
        inputs = [added.outputs[0], gain, bias]
        norm = ir.Node("", "LayerNormalization", inputs, attributes, num_outputs=1, name=node.name)
        added.outputs[0].name = f"{node.name}/total"
        replaced = {normed: norm.outputs[0]}
        if total.name:  # else nobody reads it
            replaced[total] = added.outputs[0]
        for old, new in replaced.items():
            new.name, new.shape, new.type = old.name, old.shape, old.type
        ir.convenience.replace_nodes_and_values(
            graph, node, [node], [added, norm], list(replaced), list(replaced.values())
        )
