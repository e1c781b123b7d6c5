"""Lower abstract layers of a traced graph to the operators of a profile. Knows no architecture.

``satchel::Linear`` (x, weight [out, in], bias?) becomes MatMulNBits or FusedMatMul, and
``satchel::Embedding`` (weight [rows, width], ids) becomes GatherBlockQuantized or Gather. A weight that
several layers share, as a tied embedding does, is quantised once and stays one array in memory, which
the writer stores once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np
import onnx_ir as ir

from satchel.quantize import blocks
from satchel.quantize.profile import FP32, Profile, Scheme

ABSTRACT = "satchel"
MICROSOFT = "com.microsoft"


def lower(
    model: ir.Model,
    profile: Profile,
    progress: Callable[[Iterable[Any]], Iterable[Any]] = iter,
) -> None:
    """Replace every abstract node of `model`, in place."""
    nodes = [node for node in model.graph if node.domain == ABSTRACT]
    shared = _Shared(model.graph, profile, nodes)
    for node in progress(nodes):
        replacements = shared.linear(node) if node.op_type == "Linear" else shared.embedding(node)
        ir.convenience.replace_nodes_and_values(
            model.graph, node, [node], replacements, node.outputs, replacements[-1].outputs
        )
    for name, value in list(model.graph.initializers.items()):
        if not value.uses():
            del model.graph.initializers[name]
    model.opset_imports.pop(ABSTRACT, None)
    model.opset_imports[MICROSOFT] = 1


def weight_of(node: ir.Node) -> ir.Value:
    """The weight of an abstract node."""
    value = node.inputs[1 if node.op_type == "Linear" else 0]
    assert value is not None
    return value


def layer_name(node: ir.Node) -> str:
    """The dotted name of the layer an abstract node stands for."""
    return str(weight_of(node).name).removesuffix(".weight")


class _Shared:
    """Lowers nodes one by one, quantising each weight once."""

    def __init__(self, graph: ir.Graph, profile: Profile, nodes: list[ir.Node]) -> None:
        self.graph = graph
        self.profile = profile
        self.quantized: dict[str, tuple[blocks.Blocks, ir.Value]] = {}
        self.embedded = {layer_name(node) for node in nodes if node.op_type == "Embedding"}

    def scheme(self, node: ir.Node) -> Scheme:
        """The scheme of a node; an embedding whose rows no block divides stays float32."""
        name = layer_name(node)
        scheme = self.profile.scheme(name)
        if scheme.kind == "fp32" or name not in self.embedded:
            return scheme
        width = _shape(weight_of(node))[1]
        fitting = [b for b in blocks.BLOCK_SIZES if b <= scheme.block and width % b == 0]
        return Scheme(scheme.kind, fitting[-1]) if fitting else FP32

    def linear(self, node: ir.Node) -> list[ir.Node]:
        x, weight = node.inputs[:2]
        bias = node.inputs[2] if len(node.inputs) > 2 else None
        scheme = self.scheme(node)
        assert weight is not None
        if scheme.kind == "fp32":
            return self._fp32_linear(node, x, weight, bias)
        quantized, scales = self._quantize(weight, scheme)
        outputs, inputs = _shape(weight)
        values = self._initializer(f"{weight.name}.blocks", quantized.values)
        attributes = {
            "K": inputs,
            "N": outputs,
            "bits": 8,
            "block_size": scheme.block,
            "accuracy_level": 4,  # without it the kernel unpacks all weights on every call
        }
        operands = [x, values, scales] + ([None, None, bias] if bias is not None else [])
        return [self._node("MatMulNBits", operands, attributes, node)]

    def _fp32_linear(
        self, node: ir.Node, x: ir.Value | None, weight: ir.Value, bias: ir.Value | None
    ) -> list[ir.Node]:
        product = self._node("FusedMatMul", [x, weight], {"transB": 1}, node)
        if bias is None:
            return [product]
        product.outputs[0].name = f"{node.outputs[0].name}.product"
        added = ir.Node("", "Add", [product.outputs[0], bias], num_outputs=1)
        _copy_output(node, added)
        return [product, added]

    def embedding(self, node: ir.Node) -> list[ir.Node]:
        weight, ids = node.inputs
        scheme = self.scheme(node)
        assert weight is not None
        if scheme.kind == "fp32":
            gather = ir.Node("", "Gather", [weight, ids], {"axis": ir.AttrInt64("axis", 0)})
            _copy_output(node, gather)
            return [gather]
        quantized, scales = self._quantize(weight, scheme)
        rows = quantized.values.reshape(len(quantized.values), -1)  # a view: the same bytes
        values = self._initializer(f"{weight.name}.rows", rows)
        attributes = {
            "bits": 8,
            "block_size": scheme.block,
            "gather_axis": 0,
            "quantize_axis": 1,
        }
        return [self._node("GatherBlockQuantized", [values, ids, scales], attributes, node)]

    def _quantize(self, weight: ir.Value, scheme: Scheme) -> tuple[blocks.Blocks, ir.Value]:
        name = str(weight.name)
        if name not in self.quantized:
            assert weight.const_value is not None
            matrix = np.asarray(weight.const_value.numpy(), np.float32)
            quantized = blocks.quantize(matrix, scheme.block)
            scales = self._initializer(f"{name}.scales", quantized.scales)
            self.quantized[name] = (quantized, scales)
        return self.quantized[name]

    def _initializer(self, name: str, array: np.ndarray[Any, Any]) -> ir.Value:
        if name not in self.graph.initializers:
            tensor = ir.Tensor(array, name=name)
            value = ir.Value(
                name=name, shape=tensor.shape, type=ir.TensorType(tensor.dtype), const_value=tensor
            )
            self.graph.register_initializer(value)
        return self.graph.initializers[name]

    def _node(
        self, op: str, inputs: list[ir.Value | None], attributes: dict[str, int], source: ir.Node
    ) -> ir.Node:
        attrs = [ir.AttrInt64(name, value) for name, value in attributes.items()]
        node = ir.Node(
            MICROSOFT,
            op,
            inputs,
            attrs,
            num_outputs=1,
            name=f"{layer_name(source)}/{op}/{source.name}",
        )
        _copy_output(source, node)
        return node


def _copy_output(source: ir.Node, target: ir.Node) -> None:
    old, new = source.outputs[0], target.outputs[0]
    new.name, new.shape, new.type = old.name, old.shape, old.type


def _shape(value: ir.Value) -> tuple[int, ...]:
    assert value.shape is not None
    return tuple(int(axis) for axis in value.shape if isinstance(axis, int))
