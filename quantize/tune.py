"""Choose the scheme of each layer by what it costs in quality. Knows no graph and no family.

One layer at a time has its weights and inputs rounded, and the model's answer is compared with what it
was. Costs nearly add up, so the worst layers get the next better scheme until the sum is within the
budget.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager, nullcontext
from dataclasses import replace
from typing import Any

import torch
from torch import nn

from satchel.models.layers import Linear
from satchel.quantize.calibrate import Statistics
from satchel.quantize.convolved import FEWEST
from satchel.quantize.planes import Plane, Rounding
from satchel.quantize.profile import Profile
from satchel.quantize.rounding import Array
from satchel.quantize.schemes import CHANNEL8, FP32, Scheme

Progress = Callable[[Iterable[Any]], Iterable[Any]]
OPEN = "down_proj"  # behind an activation, whose numbers have no bound
TRUE = 1e-9  # a loss below this is the noise of float32


def tune(
    model: nn.Module,
    role: str,
    profile: Profile,
    statistics: Statistics,
    loss: Callable[[], float],
    budget: float,
    progress: Progress = iter,
) -> Profile:
    """`profile` with better schemes for the layers of `model` that cost most.

    `loss` says how far the model's answer is from what it was, and the losses of all layers are to add
    up to at most `budget`.
    """
    names = [name for name, part in model.named_modules() if isinstance(part, Linear)]
    schemes = {name: profile.scheme(name, role) for name in names}
    losses = costs(model, schemes, profile, statistics, loss, progress)
    chosen: dict[str, Scheme] = {}
    while losses and sum(losses.values()) > budget:
        worst = max(losses, key=lambda name: losses[name])
        if losses[worst] < TRUE:
            break
        better = schemes[worst].better()
        assert better is not None
        schemes[worst], left = better
        chosen[worst] = schemes[worst]
        losses[worst] *= left
    return replace(profile, layers=profile.layers | chosen)


def costs(
    model: nn.Module,
    schemes: Mapping[str, Scheme],
    profile: Profile,
    statistics: Statistics,
    loss: Callable[[], float],
    progress: Progress = iter,
) -> dict[str, float]:
    """What each of the layers costs that have these `schemes` and could have better ones."""
    losses = {}
    for name in progress([name for name in schemes if _rounds(model, name, schemes[name])]):
        scheme = schemes[name]
        moment = statistics.moment(name) if profile.compensates(scheme) else None
        with _rounded_inputs(model, name, scheme, statistics):
            losses[name] = _cost(model, name, scheme, moment, loss)
    return losses


def _rounds(model: nn.Module, name: str, scheme: Scheme) -> bool:
    """Whether a layer of that scheme is rounded at all."""
    layer = model.get_submodule(name)
    assert isinstance(layer, Linear)
    return bool(scheme.better()) and scheme.fits_layer(layer.out_features, layer.in_features)


@contextmanager
def _rounded_inputs(
    model: nn.Module, name: str, scheme: Scheme, statistics: Statistics
) -> Iterator[None]:
    """Inside the context a layer reads what its scheme makes of its inputs."""
    layer = model.get_submodule(name)
    assert isinstance(layer, Linear)
    seen = None if name.endswith(OPEN) else statistics.ranges.get(name)
    rounded = scheme.rounding(layer.weight.detach().numpy(), seen)
    if rounded is None:
        yield
        return
    hook = layer.register_forward_pre_hook(lambda _, inputs: rounded(inputs[0]))
    try:
        yield
    finally:
        hook.remove()


def _cost(
    model: nn.Module, name: str, scheme: Scheme, moment: Array | None, loss: Callable[[], float]
) -> float:
    layer = model.get_submodule(name)
    assert isinstance(layer, Linear)
    kept = layer.weight.data
    try:
        layer.weight.data = torch.from_numpy(scheme.restored(kept.numpy(), moment))
        return max(0.0, loss())
    finally:
        layer.weight.data = kept


def convolutions(model: nn.Module) -> dict[str, nn.Conv1d | nn.Conv2d]:
    """The convolutions of a model that int8 makes smaller, by their dotted names."""
    found = {n: one for n, one in model.named_modules() if isinstance(one, nn.Conv1d | nn.Conv2d)}
    return {name: layer for name, layer in found.items() if layer.weight[0].numel() >= FEWEST}


def convolution_costs(
    model: nn.Module,
    schemes: Mapping[str, Scheme],
    planes: Mapping[str, Plane],
    loss: Callable[[], float],
    progress: Progress = iter,
) -> dict[str, float]:
    """What each of the convolutions costs that have these `schemes`: its weight in int8, and what it
    reads and gives where `planes` fix scales for that."""
    found = {}
    layers = convolutions(model)
    for name in progress([name for name in schemes if schemes[name] is not FP32]):
        layer = layers[name]
        kept = layer.weight.data
        rounded = name in planes and schemes[name].by_range
        try:
            matrix = CHANNEL8.restored(kept.flatten(1).numpy())
            layer.weight.data = torch.from_numpy(matrix).view_as(kept)
            with Rounding(model, name, planes[name]) if rounded else nullcontext():
                found[name] = max(0.0, loss())
        finally:
            layer.weight.data = kept
    return found
