"""Lower abstract layers of a traced graph to the operators of a profile. Knows no architecture.

``satchel::Linear`` (x, weight [out, in], bias?) becomes FusedMatMul, MatMulNBits or
MatMulIntegerToFloat, and ``satchel::Embedding`` (weight [rows, width], ids) becomes Gather or
GatherBlockQuantized. A weight that several layers share, as a tied embedding does, is quantised once and
stays one array in memory, which the writer stores once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import onnx_ir as ir

from satchel.quantize import blocks, cache8, channel8, channels, norms, steps
from satchel.quantize.calibrate import Statistics
from satchel.quantize.nodes import (
    MICROSOFT,
    Replacement,
    layer_name,
    matrix_of,
    operands,
    shape,
    weight_of,
)
from satchel.quantize.profile import FEW_OUTPUTS, FP32, Profile, Scheme
from satchel.quantize.rounding import Array

ABSTRACT = "satchel"
FEW_ROWS = 1024  # a `channel8` table of no more stays float32, and its head is a layer of its own


def lower(
    model: ir.Model,
    profile: Profile,
    role: str,
    statistics: Statistics | None = None,
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> None:
    """Replace every abstract node of `model`, the bundle's graph `role`, in place.

    `statistics` are those of the reference model; without them nothing is smoothed, and the cache
    stays float32.
    """
    statistics = statistics or Statistics()
    if role != "decoder":  # a decoder's step has one row
        norms.split(model.graph)
    nodes = [node for node in model.graph if node.domain == ABSTRACT]
    layers = _Layers(profile, role, nodes, statistics)
    for node in progress(nodes):
        new = Replacement(model.graph, node)
        layers.linear(new) if node.op_type == "Linear" else layers.embedding(new)
        new.carry_out()
    if role == "decoder":
        if cache8.kept(profile, statistics):
            cache8.lower(model.graph, statistics.caches)
        if steps.kept(profile, statistics):
            steps.lower(model.graph)
    for name, value in list(model.graph.initializers.items()):
        if not value.uses():
            del model.graph.initializers[name]
    model.opset_imports.pop(ABSTRACT, None)
    model.opset_imports[MICROSOFT] = 1


def layer_names(model: ir.Model) -> list[str]:
    """The dotted names of all layers of a traced graph."""
    return [layer_name(node) for node in model.graph if node.domain == ABSTRACT]


class _Layers:
    """Lowers nodes one by one, quantising each weight once."""

    def __init__(
        self, profile: Profile, role: str, nodes: list[ir.Node], statistics: Statistics
    ) -> None:
        self.profile, self.role, self.statistics = profile, role, statistics
        self.quantized: dict[str, tuple[blocks.Blocks, list[ir.Value | None]]] = {}
        self.channels: dict[str, channels.Channels] = {}
        self.weights: dict[str, channel8.Weight] = {}
        self.uses: dict[str, list[ir.Node]] = {}
        for node in nodes:
            if node.op_type == "Linear":
                self.uses.setdefault(layer_name(node), []).append(node)
        self.tables = {layer_name(node) for node in nodes if node.op_type == "Embedding"}

    def linear(self, new: Replacement) -> None:
        name = layer_name(new.source)
        scheme = self._table_scheme(new.source) if name in self.tables else FP32
        shared = scheme != FP32  # both read the same bytes
        if not shared:
            scheme = self.profile.scheme(name, self.role)
        match scheme.kind:
            case "blocks8" | "blocks4":
                self._matmul(new, scheme)
            case "channel8" if shared:
                channel8.head(new, self._channels(new))
            case "channel8" if shape(weight_of(new.source))[0] > FEW_OUTPUTS:
                channel8.linear(new, self._weight(new.source, scheme), self.statistics)
            case _:
                _fp32(new)

    def embedding(self, new: Replacement) -> None:
        weight, ids = new.source.inputs
        scheme = self._table_scheme(new.source)
        assert weight is not None and ids is not None
        match scheme.kind:
            case "fp32":
                new.add("Gather", [weight, ids], axis=0)
            case "channel8":
                channel8.embedding(new, ids, self._channels(new))
            case _:
                self._block_rows(new, ids, scheme)

    def _block_rows(self, new: Replacement, ids: ir.Value, scheme: Scheme) -> None:
        quantized, inputs = self._blocks(new, scheme)
        rows = quantized.values.reshape(len(quantized.values), -1)  # a view: the same bytes
        values = new.initializer(f"{weight_of(new.source).name}.rows", rows)
        new.add(
            "GatherBlockQuantized",
            [values, ids, *inputs],
            MICROSOFT,
            bits=quantized.bits,
            block_size=quantized.block,
            gather_axis=0,
            quantize_axis=1,
        )

    def _table_scheme(self, node: ir.Node) -> Scheme:
        """The scheme of a table and a head tied to it; float32 where it is small or no block divides
        its rows, and then the head has a scheme of its own."""
        scheme = self.profile.table(layer_name(node))
        rows, width = shape(weight_of(node))
        if scheme.kind == "channel8":
            return scheme if rows > FEW_ROWS else FP32
        return scheme if scheme.block and blocks.fitting(scheme.block, width) else FP32

    def _channels(self, new: Replacement) -> channels.Channels:
        """A table per channel, the same for embedding and head."""
        name = layer_name(new.source)
        if name not in self.channels:
            self.channels[name] = channels.quantize(matrix_of(new.source))
        return self.channels[name]

    def _weight(self, node: ir.Node, scheme: Scheme) -> channel8.Weight:
        """A weight per channel, the same for all uses of its layer."""
        name = layer_name(node)
        if name not in self.weights:
            moment = self._moment(node, scheme)
            self.weights[name] = channel8.weight(self.uses[name], self.statistics, moment)
        return self.weights[name]

    def _matmul(self, new: Replacement, scheme: Scheme) -> None:
        x, weight, bias = operands(new.source)
        quantized, inputs = self._blocks(new, scheme)
        values = new.initializer(f"{weight.name}.blocks", quantized.values)
        inputs = [x, values, *inputs]
        if bias is not None:
            inputs += [None] * (5 - len(inputs)) + [bias]
        new.add(
            "MatMulNBits",
            inputs,
            MICROSOFT,
            K=shape(weight)[1],
            N=shape(weight)[0],
            bits=quantized.bits,
            block_size=quantized.block,
            accuracy_level=4,  # without it the kernel unpacks all weights on every call
        )

    def _blocks(
        self, new: Replacement, scheme: Scheme
    ) -> tuple[blocks.Blocks, list[ir.Value | None]]:
        """The weight in blocks, and the initializers that go with its values."""
        name = str(weight_of(new.source).name)
        if name not in self.quantized:
            matrix = matrix_of(new.source)
            block = blocks.fitting(scheme.block, matrix.shape[1]) or scheme.block
            moment = self._moment(new.source, scheme)
            quantized = blocks.quantize(matrix, block, blocks.BITS[scheme.kind], moment)
            inputs: list[ir.Value | None] = [new.initializer(f"{name}.scales", quantized.scales)]
            if quantized.zeros is not None:
                inputs.append(new.initializer(f"{name}.zeros", quantized.zeros))
            self.quantized[name] = quantized, inputs
        return self.quantized[name]

    def _moment(self, node: ir.Node, scheme: Scheme) -> Array | None:
        """The moment of a layer's inputs, where the profile makes use of it."""
        if not self.profile.compensates(scheme):
            return None
        return self.statistics.moment(layer_name(node))


def _fp32(new: Replacement) -> None:
    x, weight, bias = operands(new.source)
    product = new.add("FusedMatMul", [x, weight], MICROSOFT, transB=1)
    if bias is not None:
        new.add("Add", [product, bias])
