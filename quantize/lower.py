"""Lower abstract layers of a traced graph to the operators of a profile. Knows no architecture.

``satchel::Linear`` (x, weight [out, in], bias?) becomes FusedMatMul, MatMulNBits or
MatMulIntegerToFloat, and ``satchel::Embedding`` (weight [rows, width], ids) becomes Gather or
GatherBlockQuantized. A weight that several layers share, as a tied embedding does, is quantised once
and stays one array in memory, which the writer stores once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import onnx_ir as ir

from satchel.quantize import blocks, channel8, norms
from satchel.quantize.calibrate import Ranges
from satchel.quantize.nodes import MICROSOFT, Replacement, layer_name, operands, shape, weight_of
from satchel.quantize.profile import FP32, Profile, Scheme

ABSTRACT = "satchel"
FEW_OUTPUTS = 32  # a head of a few labels: quantising it saves nothing


def lower(
    model: ir.Model,
    profile: Profile,
    role: str,
    ranges: Ranges | None = None,
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> None:
    """Replace every abstract node of `model`, the bundle's graph `role`, in place.

    `ranges` are those of the inputs of linear layers; without them nothing is smoothed.
    """
    if role != "decoder":  # a decoder's step has one row
        norms.split(model.graph)
    nodes = [node for node in model.graph if node.domain == ABSTRACT]
    layers = _Layers(profile, role, nodes, ranges or {})
    for node in progress(nodes):
        new = Replacement(model.graph, node)
        layers.linear(new) if node.op_type == "Linear" else layers.embedding(new)
        new.carry_out()
    for name, value in list(model.graph.initializers.items()):
        if not value.uses():
            del model.graph.initializers[name]
    model.opset_imports.pop(ABSTRACT, None)
    model.opset_imports[MICROSOFT] = 1


class _Layers:
    """Lowers nodes one by one, quantising each weight once."""

    def __init__(self, profile: Profile, role: str, nodes: list[ir.Node], ranges: Ranges) -> None:
        self.profile, self.role, self.ranges = profile, role, ranges
        self.quantized: dict[str, tuple[blocks.Blocks, ir.Value]] = {}
        self.tables = {layer_name(node) for node in nodes if node.op_type == "Embedding"}

    def linear(self, new: Replacement) -> None:
        name = layer_name(new.source)
        if name in self.tables:  # tied: both read the same bytes
            scheme = self._table_scheme(new.source)
        else:
            scheme = self.profile.scheme(name, self.role)
        match scheme.kind:
            case "blocks8":
                self._blocks8(new, scheme)
            case "channel8" if shape(weight_of(new.source))[0] > FEW_OUTPUTS:
                channel8.linear(new, self.ranges)
            case _:
                _fp32(new)

    def embedding(self, new: Replacement) -> None:
        weight, ids = new.source.inputs
        scheme = self._table_scheme(new.source)
        assert weight is not None
        if scheme.kind == "fp32":
            new.add("Gather", [weight, ids], axis=0)
            return
        quantized, scales = self._quantize(new, scheme)
        rows = quantized.values.reshape(len(quantized.values), -1)  # a view: the same bytes
        values = new.initializer(f"{weight.name}.rows", rows)
        new.add(
            "GatherBlockQuantized",
            [values, ids, scales],
            MICROSOFT,
            bits=8,
            block_size=scheme.block,
            gather_axis=0,
            quantize_axis=1,
        )

    def _table_scheme(self, node: ir.Node) -> Scheme:
        """The scheme of a table; one whose rows no block divides stays float32."""
        scheme = self.profile.table(layer_name(node))
        if scheme.kind == "fp32":
            return scheme
        width = shape(weight_of(node))[1]
        fitting = [b for b in blocks.BLOCK_SIZES if b <= scheme.block and width % b == 0]
        return Scheme(scheme.kind, fitting[-1]) if fitting else FP32

    def _blocks8(self, new: Replacement, scheme: Scheme) -> None:
        x, weight, bias = operands(new.source)
        quantized, scales = self._quantize(new, scheme)
        outputs, inputs = shape(weight)
        values = new.initializer(f"{weight.name}.blocks", quantized.values)
        new.add(
            "MatMulNBits",
            [x, values, scales] + ([None, None, bias] if bias is not None else []),
            MICROSOFT,
            K=inputs,
            N=outputs,
            bits=8,
            block_size=scheme.block,
            accuracy_level=4,  # without it the kernel unpacks all weights on every call
        )

    def _quantize(self, new: Replacement, scheme: Scheme) -> tuple[blocks.Blocks, ir.Value]:
        weight = weight_of(new.source)
        name = str(weight.name)
        if name not in self.quantized:
            assert weight.const_value is not None
            matrix = np.asarray(weight.const_value.numpy(), np.float32)
            quantized = blocks.quantize(matrix, scheme.block)
            self.quantized[name] = (
                quantized,
                new.initializer(f"{name}.scales", quantized.scales),
            )
        return self.quantized[name]


def _fp32(new: Replacement) -> None:
    x, weight, bias = operands(new.source)
    product = new.add("FusedMatMul", [x, weight], MICROSOFT, transB=1)
    if bias is not None:
        new.add("Add", [product, bias])
