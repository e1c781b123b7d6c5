"""The layers of a written graph: their nodes, found by name, and graphs that show them at work.

`lower` names the nodes of a layer ``LAYER/OPERATOR/...``, whatever its scheme. Runs nothing.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import (
    GraphProto,
    ModelProto,
    NodeProto,
    TensorProto,
    ValueInfoProto,
    external_data_helper,
    helper,
    numpy_helper,
)

from satchel.quantize.nodes import NORMS

NODE = re.compile(r"(?P<layer>[^/]+)/(?P<operator>[^/]+)/(?P<source>.+)/\d+")
INTEGER_INPUTS = ("Gather", "GatherBlockQuantized")  # their ids
Key = tuple[str, int]  # a layer's name, and its how manyth use that is: weights may be shared


@dataclass
class GraphLayer:
    """The nodes that stand for one use of a layer, in their order."""

    name: str
    nodes: list[NodeProto] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)  # values from elsewhere in the graph

    @property
    def output(self) -> str:
        """The value the layer gives."""
        return str(self.nodes[-1].output[0])

    @property
    def operator(self) -> str:
        """The operator that multiplies, or looks up."""
        kinds = [node.op_type for node in self.nodes]
        return next((kind for kind in kinds if "MatMul" in kind or "Gather" in kind), kinds[-1])

    @property
    def is_table(self) -> bool:
        return self.operator in INTEGER_INPUTS


def find(model: ModelProto) -> dict[Key, GraphLayer]:
    """The layers of a graph in its order."""
    grouped: dict[tuple[str, str], GraphLayer] = {}
    weights = {tensor.name for tensor in model.graph.initializer}
    for node in model.graph.node:
        if named := NODE.fullmatch(node.name):
            name = str(named["layer"])
            layer = grouped.setdefault((name, str(named["source"])), GraphLayer(name))
            own = {name for other in layer.nodes for name in other.output} | weights | {""}
            layer.inputs += [
                name for name in node.input if name not in own and name not in layer.inputs
            ]
            layer.nodes.append(node)
    uses: Counter[str] = Counter()
    layers = {}
    for layer in grouped.values():
        layers[layer.name, uses[layer.name]] = layer
        uses[layer.name] += 1
    return layers


def gains(
    model: ModelProto, layers: dict[Key, GraphLayer], folder: str
) -> dict[Key, NDArray[np.float32]]:
    """The gain of the norm in front of each layer that has one; weights lie in `folder`."""
    producers = {name: node for node in model.graph.node for name in node.output}
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    gains = {}
    for key, layer in layers.items():
        norm = producers.get(layer.inputs[0]) if layer.inputs else None
        if norm is None or norm.op_type not in NORMS or norm.output[0] != layer.inputs[0]:
            continue
        if tensor := weights.get(norm.input[NORMS[norm.op_type][0]]):
            gain = TensorProto()
            gain.CopyFrom(tensor)
            if external_data_helper.uses_external_data(gain):
                external_data_helper.load_external_data_for_tensor(gain, folder)
            gains[key] = numpy_helper.to_array(gain)
    return gains


def exposed(model: ModelProto, values: Iterable[str]) -> tuple[bytes, dict[str, str]]:
    """The graph with more outputs, and their names by the values that they show."""
    shown = ModelProto()
    shown.CopyFrom(model)
    names = {value: f"{value}/shown" for value in dict.fromkeys(values)}
    for value, name in names.items():
        shown.graph.node.append(helper.make_node("Identity", [value], [name]))
        shown.graph.output.append(ValueInfoProto(name=name))
    return shown.SerializeToString(), names


def apart(
    model: ModelProto, layers: dict[Key, GraphLayer]
) -> tuple[bytes, dict[Key, tuple[str, str]]]:
    """A graph of these layers alone, and each one's input and output there.

    Every layer has one input and reads what it is fed, not what another gives.
    """
    graph = GraphProto(name="layers")
    ports = {}
    used: set[str] = set()
    for number, (key, layer) in enumerate(layers.items()):
        [source] = layer.inputs
        fed, given = f"input.{number}", f"output.{number}"
        new_names = {source: fed, layer.output: given}
        for node in layer.nodes:
            copied = graph.node.add()
            copied.CopyFrom(node)
            copied.input[:] = [new_names.get(name, name) for name in node.input]
            copied.output[:] = [new_names.get(name, name) for name in node.output]
            used.update(node.input)
        kind = TensorProto.INT64 if layer.is_table else TensorProto.FLOAT
        graph.input.append(helper.make_tensor_value_info(fed, kind, None))
        graph.output.append(ValueInfoProto(name=given))
        ports[key] = fed, given
    graph.initializer.extend(item for item in model.graph.initializer if item.name in used)
    alone = ModelProto(ir_version=model.ir_version, graph=graph)
    alone.opset_import.extend(model.opset_import)
    return alone.SerializeToString(), ports


def load(path: str) -> ModelProto:
    """A graph without its large weights."""
    return onnx.load(path, load_external_data=False)
