"""Attention that works out all scores of a head at once, as it does natively (`runtime/session.py`).

ONNX Runtime's other way, in tiles, adds up a text in another order where there are many threads, and is
ten times slower where it does not know how large the processor's caches are: in WebAssembly. It is
not taken where a head has a sink, a score beside those of the positions; one of nothing changes no sum.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from satchel.quantize.cache8 import ATTENTION
from satchel.quantize.nodes import initializer

SINK = 11  # of the operator's inputs: a score for each head
NOTHING = np.float32(-1e30)  # whose exponential is 0 beside any score


def lower(graph: ir.Graph) -> None:
    """Give every causal attention of `graph` that has no sink of its own one of nothing."""
    for node in graph:
        if node.op_type != ATTENTION or (len(node.inputs) > SINK and node.inputs[SINK] is not None):
            continue
        heads = node.attributes["num_heads"].as_int()
        node.resize_inputs(max(len(node.inputs), SINK + 1))
        sink = initializer(graph, f"no_sink.{heads}", np.full(heads, NOTHING))
        node.replace_input_with(SINK, sink)
