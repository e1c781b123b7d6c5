"""Attention that no lone token is given, so that steps come out as a prefill does.

Over a float32 cache a lone token, also the last of a kernel's block, takes another kernel. So an odd
number of tokens gets one of zeros more. The others do not see it, and the next token overwrites its
key and value.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence

import numpy as np
import onnx_ir as ir

from satchel.quantize import cache8
from satchel.quantize.cache8 import ATTENTION
from satchel.quantize.calibrate import Statistics
from satchel.quantize.nodes import initializer
from satchel.quantize.profile import Profile

SPARE = 1  # positions behind a text that are written to
TOKENS = (0, 1, 2)  # of the operator's inputs: query, key and value, or all three in the first
LENGTHS = (5, 6)  # seqlens_k, total_sequence_length
ROPE = slice(7, 9)  # cos, sin
BIAS = 10  # what is added to the scores [1 or batch, heads, tokens, positions]


def kept(profile: Profile, statistics: Statistics | None) -> bool:
    """Whether `profile` wants this of a decoder, and its cache stays float32."""
    return profile.paired and not cache8.kept(profile, statistics)


def lower(graph: ir.Graph) -> None:
    """Let every causal attention of `graph` have an even number of tokens."""
    attentions = [node for node in graph if node.op_type == ATTENTION]
    first = attentions[0]

    def constant(*numbers: int) -> ir.Value:
        return initializer(graph, f"steps.{numbers}", np.array(numbers, np.int64))

    def before(node: ir.Node, op: str, *inputs: ir.Value | None, **attributes: int) -> ir.Value:
        new = ir.node(op, inputs, attributes, name=f"steps/{op}/{graph.num_nodes()}")
        new.outputs[0].name = f"{new.name}:0"
        graph.insert_before(node, new)
        return new.outputs[0]

    ids = next(value for value in graph.inputs if value.name == "input_ids")
    batch, length = (before(first, "Shape", ids, start=axis, end=axis + 1) for axis in (0, 1))
    # The operator takes steps of several texts one token at a time: they count as even.
    count = before(first, "Max", length, before(first, "Min", batch, constant(2)))
    odd = before(first, "Mod", count, constant(2))
    # How many zeros in front of and behind each axis of [batch, length, columns].
    zeros = constant(0, 0, 0, 0)
    pads = before(first, "Concat", zeros, odd, constant(0), axis=0)
    more = before(first, "Cast", odd, to=ir.DataType.INT32)
    lengths = [before(first, "Add", first.inputs[place], more) for place in LENGTHS]
    longer = functools.cache(functools.partial(_longer, graph))  # layers share their tables
    biases: dict[ir.Value, ir.Value] = {}  # and what is added to their scores
    for node in attentions:
        for place in TOKENS:
            if (value := node.inputs[place]) is not None:
                node.replace_input_with(place, before(node, "Pad", value, pads))
        for place, value in zip(LENGTHS, lengths, strict=True):
            node.replace_input_with(place, value)
        for place, table in list(enumerate(node.inputs))[ROPE]:
            if table is not None:
                node.replace_input_with(place, longer(table))
        bias = node.inputs[BIAS] if len(node.inputs) > BIAS else None
        if bias is not None:
            if bias not in biases:
                wider = before(first, "Concat", zeros, constant(0, 0), odd, odd, axis=0)
                biases[bias] = before(first, "Pad", bias, wider)
            node.replace_input_with(BIAS, biases[bias])
        _cut(graph, node, [constant(0), length, constant(1)])


def _longer(graph: ir.Graph, table: ir.Value) -> ir.Value:
    """A table of positions with a row of zeros for the one behind the last."""
    assert table.const_value is not None
    rows = np.pad(table.const_value.numpy(), ((0, SPARE), (0, 0)))
    return initializer(graph, f"{table.name}.longer", rows)


def _cut(graph: ir.Graph, node: ir.Node, where: Sequence[ir.Value]) -> None:
    """Leave of what `node` gives out the part of the tokens that are there: begin, end and axis."""
    wide = node.outputs[0]
    cut = ir.node("Slice", [wide, *where], name=f"{node.name}/Slice")
    narrow = cut.outputs[0]
    ir.convenience.replace_all_uses_with(wide, narrow)
    cut.replace_input_with(0, wide)
    narrow.name, narrow.shape, narrow.type = f"{wide.name}.cut", wide.shape, wide.type
    wide.shape = None
    graph.insert_after(node, cut)
