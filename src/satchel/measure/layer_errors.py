"""Where the error of a quantised bundle arises: its layers beside those of a reference. Needs onnx."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satchel.measure import graph_layers
from satchel.measure.graph_layers import GraphLayer, Key
from satchel.measure.reading import Reading
from satchel.progress import Stage
from satchel.runtime.errors import BundleError
from satchel.runtime.session import converted, create_session

Array = NDArray[np.float32]
Values = dict[str, Array]  # what a graph showed in one run, by value


@dataclass
class LayerError:
    """One layer's ||found - expected|| / ||expected|| over all that was read."""

    graph: str
    layer: str
    operator: str
    error: float = 0.0  # of its output while the whole bundle reads
    # Of the layer alone, fed with what the reference's layer reads; None where it cannot be taken out of
    # its graph.
    own: float | None = None


def layer_errors(
    reference: Any, model: Any, reading: Reading, threads: int | None, stage: Stage
) -> list[LayerError]:
    """The error of every layer that both have, in the order of the graphs, while they read `few`.

    Replaces the sessions of both models by ones that show their layers. Raises BundleError where
    the graphs have no layers in common.
    """
    roles = [reading.role] if reading.role else list(model.manifest.graphs)
    graphs = [_Graph(reference, model, role, threads) for role in roles]
    for sample in stage("measuring layers")(reading.few):
        reading.answer(reference, sample)
        reading.answer(model, sample)
        for graph in graphs:
            graph.read()
    return [error for graph in graphs for error in graph.errors()]


@dataclass
class _Sums:
    """Sums of squares of one layer."""

    expected: float = 0.0
    apart: float = 0.0
    own: float = 0.0


class _Graph:
    """One graph of both bundles, and the graph of the quantised layers alone."""

    def __init__(self, reference: Any, model: Any, role: str, threads: int | None) -> None:
        self.role = role
        expected_graph, self.expected = _layers(reference, role)
        graph, self.layers = _layers(model, role)
        self.sums = {key: _Sums() for key in self.layers if key in self.expected}
        if not self.sums:
            raise BundleError(f"the {role} graphs have no layers in common: export both again")
        self.single = {
            key: self.layers[key]
            for key in self.sums
            if len(self.layers[key].inputs) == len(self.expected[key].inputs) == 1
        }
        self.factors = _factors(
            _gains(reference, expected_graph, {key: self.expected[key] for key in self.single}),
            _gains(model, graph, self.single),
        )
        inputs = [self.expected[key].inputs[0] for key in self.single]
        outputs = [self.expected[key].output for key in self.sums]
        self.reference = _show(reference, role, expected_graph, [*inputs, *outputs], threads)
        own = [self.layers[key].output for key in self.sums]
        self.model = _show(model, role, graph, own, threads)
        alone, self.ports = graph_layers.apart(graph, self.single)
        self.alone = create_session(alone, threads, model.bundle.folder)

    def read(self) -> None:
        """Add what both have shown since the last time."""
        for expected, actual in zip(self.reference.taken(), self.model.taken(), strict=True):
            fed = {fed: self._fed(key, expected) for key, (fed, _) in self.ports.items()}
            with converted("running layers alone"):
                given = self.alone.run([given for _, given in self.ports.values()], fed)
            alone = dict(zip(self.ports, given, strict=True))
            for key, sums in self.sums.items():
                right = expected[self.expected[key].output]
                sums.expected += _square(right)
                sums.apart += _square(actual[self.layers[key].output] - right)
                sums.own += _square(alone[key] - right) if key in alone else 0.0

    def _fed(self, key: Key, expected: Values) -> Array:
        """What the reference's layer reads, as the quantised one is meant to get it."""
        x = expected[self.expected[key].inputs[0]]
        return x * self.factors[key] if key in self.factors else x

    def errors(self) -> Iterator[LayerError]:
        for key, sums in self.sums.items():
            size = sums.expected or 1.0
            own = (sums.own / size) ** 0.5 if key in self.single else None
            layer = self.layers[key]
            error = (sums.apart / size) ** 0.5
            yield LayerError(self.role, layer.name, layer.operator, error, own)


def _layers(model: Any, role: str) -> tuple[Any, dict[Key, GraphLayer]]:
    graph = graph_layers.load(str(model.bundle.path(model.manifest.graphs[role].file)))
    return graph, graph_layers.find(graph)


def _gains(model: Any, graph: Any, layers: dict[Key, GraphLayer]) -> dict[Key, Array]:
    return graph_layers.gains(graph, layers, str(model.bundle.folder))


def _factors(expected: dict[Key, Array], gains: dict[Key, Array]) -> dict[Key, Array]:
    """What smoothing has made of the norms in front of quantised layers, per channel."""
    return {
        key: np.divide(gain, expected[key], out=np.ones_like(gain), where=expected[key] != 0)
        for key, gain in gains.items()
        if key in expected
    }


def _show(model: Any, role: str, graph: Any, values: list[str], threads: int | None) -> Shown:
    """Let a model's graph show values."""
    part = model.graphs[role]
    part.session = None  # two copies of its packed weights would be one too many
    content, names = graph_layers.exposed(graph, values)
    part.session = Shown(create_session(content, threads, model.bundle.folder), names)
    return part.session


def _square(values: Array) -> float:
    return float(np.square(values, dtype=np.float64).sum())


class Shown:
    """A session whose graph shows values: what is asked of it comes back, the rest is kept."""

    def __init__(self, session: Any, names: dict[str, str]) -> None:
        self.session, self.names = session, names
        self.runs: list[Values] = []

    def run(self, outputs: list[str], inputs: dict[str, Any]) -> list[Array]:
        arrays = self.session.run([*outputs, *self.names.values()], inputs)
        self.runs.append(dict(zip(self.names, arrays[len(outputs) :], strict=True)))
        return list(arrays[: len(outputs)])

    def io_binding(self) -> Any:
        return _Binding(self.session.io_binding(), list(self.names.values()))

    def run_with_iobinding(self, binding: _Binding, options: Any) -> None:
        self.session.run_with_iobinding(binding.binding, options)
        self.runs.append(dict(zip(self.names, binding.shown(), strict=True)))

    def taken(self) -> list[Values]:
        """What the runs since the last time have shown."""
        runs, self.runs = self.runs, []
        return runs


class _Binding:
    """A binding with more outputs than the caller knows of."""

    def __init__(self, binding: Any, names: list[str]) -> None:
        self.binding, self.count = binding, len(names)
        for name in names:  # before the caller's, and in this order
            binding.bind_output(name)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.binding, name)

    def get_outputs(self) -> list[Any]:
        return list(self.binding.get_outputs()[self.count :])

    def shown(self) -> list[Array]:
        return [value.numpy() for value in self.binding.get_outputs()[: self.count]]
