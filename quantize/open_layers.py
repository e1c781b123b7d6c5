"""Linear layers that an adapter can be given to: two factors of each are inputs that may be left out.

LoRA (Hu et al., 2022): to what a layer makes of x, the product x A B is added. Knows no architecture.
"""

from __future__ import annotations

import numpy as np
import onnx_ir as ir

from satchel.quantize.nodes import MICROSOFT, Replacement, layer_name, operands, shape

FIRST, LAST = ".lora_A", ".lora_B"  # what an input's name ends with, after the layer's
GROUP = 16  # columns of A, and rows of B, that are multiplied at once
SCALE = 2.0  # what each product is multiplied with; the factors are as much smaller


def in_block(layer: str) -> bool:
    """Whether a layer is one of a model's blocks, which are numbered, and not at its head or table."""
    return any(part.isdigit() for part in layer.split("."))


def added(new: Replacement) -> ir.Value:
    """What an adapter adds to a layer: float32 [batch, length, outputs], zeros without one.

    To be made before the layer is lowered, whose input then has a second reader and stays as it is.
    """
    # A plain MatMul takes another kernel for one row than for several. FusedMatMul with a factor does
    # not, and 16 columns are never divided among threads: each row is its own (`docs/runtime.md`).
    x, weight, _ = operands(new.source)
    outputs, inputs = shape(weight)
    name = layer_name(new.source)
    first = _factor(new.graph, name + FIRST, 2, inputs)
    last = _factor(new.graph, name + LAST, 3, outputs)
    low = new.add("FusedMatMul", [x, first], MICROSOFT, alpha=SCALE)  # [groups, batch, length, 16]
    high = new.add("FusedMatMul", [low, last], MICROSOFT, alpha=SCALE)
    groups = new.initializer("constant.first_axis", np.array([0], np.int64))
    return new.add("ReduceSum", [high, groups], keepdims=0)


def join(new: Replacement, more: ir.Value) -> None:
    """Add it to what the layer makes, which is what the last node gives."""
    new.add("Add", [new.nodes[-1].outputs[0], more])


def _factor(graph: ir.Graph, name: str, place: int, size: int) -> ir.Value:
    """An input of `graph`, [groups, 1, inputs, rank] or [groups, 1, rank, outputs], with `size` at its
    place; left out it is zeros, of one group and rank 1."""
    default = [1, 1, 1, 1]
    axes: list[int | str] = [f"{name}.groups", 1, f"{name}.rank", f"{name}.rank"]
    default[place] = axes[place] = size
    zeros = ir.Tensor(np.zeros(default, np.float32), name=name)
    value = ir.Value(
        name=name, shape=ir.Shape(axes), type=ir.TensorType(zeros.dtype), const_value=zeros
    )
    graph.register_initializer(value)
    graph.inputs.append(value)
    return value
