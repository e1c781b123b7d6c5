"""Lower abstract layers of a traced graph to the operators of a profile. Knows no architecture.

``satchel::Linear`` (x, weight [out, in], bias?) and ``satchel::Embedding`` (weight [rows, width], ids)
become what their scheme makes of them; a shared weight is quantised once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

import onnx_ir as ir

from satchel.quantize import (
    cache8,
    convolved,
    norms,
    open_layers,
    pad_odd_tokens,
    staggered,
    unshared,
    untiled,
)
from satchel.quantize.calibrate import Statistics
from satchel.quantize.nodes import MICROSOFT, Replacement, layer_name, shape, weight_of
from satchel.quantize.profile import Profile
from satchel.quantize.schemes import FP32, Layer, Scheme

ABSTRACT = "satchel"


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
        layers.lower(new)
        new.carry_out()
    planes = statistics.planes if profile.convolved else {}
    convolved.lower(model.graph, lambda name: profile.scheme(name, role), planes)
    if role == "decoder":
        if cache8.kept(profile, statistics):
            cache8.lower(model.graph, statistics.caches, profile)
        if pad_odd_tokens.kept(profile, statistics):
            pad_odd_tokens.lower(model.graph)
        if profile.untiled:
            untiled.lower(model.graph)
    unshared.lower(model.graph)
    if profile.staggered:
        staggered.lower(model.graph)
    for name, value in list(model.graph.initializers.items()):
        if not value.uses():
            del model.graph.initializers[name]
    model.opset_imports.pop(ABSTRACT, None)
    model.opset_imports[MICROSOFT] = 1


def layer_names(model: ir.Model) -> list[str]:
    """The dotted names of all layers of a traced graph."""
    linear = [layer_name(node) for node in model.graph if node.domain == ABSTRACT]
    return [*linear, *convolved.names(model.graph)]


class _Layers:
    """Lowers nodes one by one, quantising each weight once."""

    def __init__(
        self, profile: Profile, role: str, nodes: list[ir.Node], statistics: Statistics
    ) -> None:
        self.profile, self.role, self.statistics = profile, role, statistics
        self.made: dict[str, Any] = {}
        self.uses: dict[str, list[ir.Node]] = {}
        for node in nodes:
            self.uses.setdefault(layer_name(node), []).append(node)
        self.tables = {layer_name(node) for node in nodes if node.op_type == "Embedding"}

    def lower(self, new: Replacement) -> None:
        """A table and a head that is tied to it read the same bytes, so calibration changes neither."""
        name = layer_name(new.source)
        outputs, inputs = shape(weight_of(new.source))
        scheme: Scheme = FP32
        if name in self.tables:
            wanted = self.profile.table(name)
            scheme = wanted if wanted.fits_table(outputs, inputs) else FP32
        shared = scheme is not FP32
        statistics = Statistics() if shared else self.statistics
        if new.source.op_type == "Embedding":
            ids = new.source.inputs[1]
            assert ids is not None
            scheme.embedding(new, ids, self._made(name, scheme, statistics))
            return
        if not shared:
            wanted = self.profile.scheme(name, self.role)
            scheme = wanted if wanted.fits_layer(outputs, inputs) else FP32
        opened = self.profile.opened and open_layers.in_block(name)
        more = open_layers.added(new) if opened else None
        scheme.linear(new, self._made(name, scheme, statistics), statistics)
        if more is not None:
            open_layers.join(new, more)

    def _made(self, name: str, scheme: Scheme, statistics: Statistics) -> Any:
        """The arrays of a weight in its scheme."""
        if scheme is FP32:
            return None
        if name not in self.made:
            moment = statistics.moment(name) if self.profile.compensates(scheme) else None
            linear = [node for node in self.uses[name] if node.op_type == "Linear"]
            self.made[name] = scheme.made(Layer(linear or self.uses[name], statistics, moment))
        return self.made[name]
