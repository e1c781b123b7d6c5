"""Small models, and sessions of them: of ONNX Runtime's own CPU provider and of ours."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from onnx import helper, numpy_helper
from table import Array

from satchel.runtime.session import adds_in_16_bits

MICROSOFT = "com.microsoft"
NAME = "satchel"
Shape = Sequence[int | str]


class Graph:
    """A model that is put together node by node; values are known by their names."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []
        self.inputs: list[onnx.ValueInfoProto] = []
        self.outputs: list[onnx.ValueInfoProto] = []
        self.names = 0

    def name(self) -> str:
        self.names += 1
        return f"v{self.names}"

    def input(self, name: str, dtype: Any, shape: Shape | None) -> str:
        self.inputs.append(_described(name, dtype, shape))
        return name

    def constant(self, value: Any, dtype: Any = np.float32) -> str:
        array = value if isinstance(value, np.ndarray) else np.array(value, dtype)
        self.constants.append(numpy_helper.from_array(array, self.name()))
        return str(self.constants[-1].name)

    def add(
        self, operator: str, *inputs: str | None, domain: str = "", give: int = 1, **attributes: Any
    ) -> Any:
        """The name of what a new node gives, or a list of names."""
        names = [self.name() for _ in range(give)]
        taken = ["" if one is None else one for one in inputs]
        while taken and not taken[-1]:
            taken.pop()
        self.nodes.append(helper.make_node(operator, taken, names, domain=domain, **attributes))
        return names if give > 1 else names[0]

    def drop_outputs(self, first: int, last: int | None = None) -> None:
        """Leave out outputs of the last node: those up to `last`, or all from the first on."""
        outputs = self.nodes[-1].output
        if last is None:
            del outputs[first:]
        else:
            outputs[first:last] = [""] * (last - first)

    def output(self, value: str, dtype: Any = np.float32) -> str:
        self.outputs.append(_described(value, dtype, None))
        return value

    def model(self) -> bytes:
        graph = helper.make_graph(self.nodes, "test", self.inputs, self.outputs, self.constants)
        opsets = [helper.make_opsetid("", 23), helper.make_opsetid(MICROSOFT, 1)]
        made = helper.make_model(graph, opset_imports=opsets, ir_version=10)
        return bytes(made.SerializeToString())


def _described(name: str, dtype: Any, shape: Shape | None) -> onnx.ValueInfoProto:
    kind = helper.np_dtype_to_tensor_dtype(np.dtype(dtype))
    return helper.make_tensor_value_info(name, kind, shape)


def register(library: Path) -> list[Any]:
    """The provider's devices."""
    ort.register_execution_provider_library(NAME, str(library))
    return registered()


def registered() -> list[Any]:
    return [device for device in ort.get_ep_devices() if device.ep_name == NAME]


def session(
    model: bytes, devices: list[Any], threads: int = 1, **options: str
) -> ort.InferenceSession:
    """With our provider where there are devices, else of ONNX Runtime alone."""
    settings = ort.SessionOptions()
    if adds_in_16_bits():  # as the runtime does
        settings.add_session_config_entry("session.x64quantprecision", "1")
    settings.log_severity_level = 4
    settings.intra_op_num_threads = threads
    settings.enable_cpu_mem_arena = (
        False  # tensors of their own, so that checks of memory see their ends
    )
    settings.add_session_config_entry("session.record_ep_graph_assignment_info", "1")
    if devices:
        settings.add_provider_for_devices(devices, {"threads": str(threads), **options})
    providers = None if devices else ["CPUExecutionProvider"]
    return ort.InferenceSession(model, settings, providers=providers, enable_fallback=0)


def claimed(made: ort.InferenceSession) -> list[list[str]]:
    """The operators of every group of nodes that our provider has, each sorted."""
    parts = made.get_provider_graph_assignment_info()
    ours = [part for part in parts if part.ep_name == NAME]
    return sorted(sorted(node.op_type for node in part.get_nodes()) for part in ours)


def run(made: ort.InferenceSession, feeds: Mapping[str, Array]) -> list[Array]:
    return list(made.run(None, dict(feeds)))


def run_in_place(
    made: ort.InferenceSession, feeds: Mapping[str, Array], same: Mapping[str, str]
) -> list[Array]:
    """With outputs that lie where inputs do: `same` says which, output by input.

    The arrays of `feeds` change.
    """
    binding = made.io_binding()
    values = {name: ort.OrtValue.ortvalue_from_numpy(array) for name, array in feeds.items()}
    for name, value in values.items():
        binding.bind_ortvalue_input(name, value)
    for output in made.get_outputs():
        if output.name in same:
            binding.bind_ortvalue_output(output.name, values[same[output.name]])
        else:
            binding.bind_output(output.name, "cpu")
    made.run_with_iobinding(binding)
    return [value.numpy().copy() for value in binding.get_outputs()]
