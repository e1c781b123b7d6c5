"""Choose the scheme of each layer by what it costs in quality. Knows no graph and no family.

One layer at a time has its weights and its inputs rounded as the profile says, and the model's answer is
compared with what it was. What the layers cost adds up, nearly; so the worst get the next better scheme
until the sum is within the budget.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from satchel.models.layers import Linear
from satchel.quantize import blocks, channels
from satchel.quantize.calibrate import Statistics
from satchel.quantize.profile import BLOCKS8, FEW_OUTPUTS, FP32, Profile, Scheme
from satchel.quantize.rounding import Array

Progress = Callable[[Iterable[Any]], Iterable[Any]]
BETTER = {"blocks4": BLOCKS8, "blocks8": FP32, "channel8": FP32}
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
    schemes = {name: scheme for name, scheme in schemes.items() if scheme.kind in BETTER}
    found = costs(model, schemes, profile, statistics, loss, progress)
    chosen: dict[str, Scheme] = {}
    while found and sum(found.values()) > budget:
        worst = max(found, key=lambda name: found[name])
        if found[worst] < TRUE:
            break
        chosen[worst] = BETTER[schemes[worst].kind]
        schemes[worst] = chosen[worst]
        # Eight more bits than four make an error 2 ** 8 times smaller in energy.
        found[worst] = found[worst] / 256 if chosen[worst].kind in BETTER else 0.0
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
    found = {}
    for name in progress([name for name in schemes if _rounds(model, name, schemes[name])]):
        scheme = schemes[name]
        moment = statistics.moment(name) if profile.compensates(scheme) else None
        with _rounded_inputs(model, name, scheme, statistics):
            found[name] = _cost(model, name, scheme, moment, loss)
    return found


def _rounds(model: nn.Module, name: str, scheme: Scheme) -> bool:
    """Whether a layer of that scheme is rounded at all."""
    layer = model.get_submodule(name)
    assert isinstance(layer, Linear)
    few = scheme.kind == "channel8" and layer.out_features <= FEW_OUTPUTS
    return scheme.kind in BETTER and not few


@contextmanager
def _rounded_inputs(
    model: nn.Module, name: str, scheme: Scheme, statistics: Statistics
) -> Iterator[None]:
    """Inside the context a `channel8` layer reads uint8: by fixed steps, or each token by its own."""
    layer = model.get_submodule(name)
    assert isinstance(layer, Linear)
    if scheme.kind != "channel8":
        yield
        return
    fixed = name in statistics.ranges and not name.endswith(OPEN)
    rounded = _fixed_steps(layer, statistics, name) if fixed else _steps_of_tokens
    hook = layer.register_forward_pre_hook(lambda _, inputs: rounded(inputs[0]))
    try:
        yield
    finally:
        hook.remove()


def _steps_of_tokens(x: torch.Tensor) -> torch.Tensor:
    """`x` [..., inputs] in 255 steps of each token's own."""
    step = x.abs().amax(-1, keepdim=True).clamp(min=TRUE) / 127
    return (x / step).round() * step


def _fixed_steps(
    layer: Linear, statistics: Statistics, name: str
) -> Callable[[torch.Tensor], torch.Tensor]:
    """What rounds the inputs of a layer to 256 steps from its calibration, smoothed before."""
    factors = channels.smoothing(layer.weight.detach().numpy(), statistics.largest(name))
    least, most = statistics.ranges[name]
    low, high = min(float((least / factors).min()), 0.0), max(float((most / factors).max()), 0.0)
    step = (high - low) / 255 or 1.0
    scales = torch.from_numpy(factors)

    def rounded(x: torch.Tensor) -> torch.Tensor:
        steps = (x / scales / step).round().clamp(round(low / step), round(high / step))
        return steps * step * scales

    return rounded


def _cost(
    model: nn.Module, name: str, scheme: Scheme, moment: Array | None, loss: Callable[[], float]
) -> float:
    layer = model.get_submodule(name)
    assert isinstance(layer, Linear)
    kept = layer.weight.data
    try:
        layer.weight.data = torch.from_numpy(restored(kept.numpy(), scheme, moment))
        return max(0.0, loss())
    finally:
        layer.weight.data = kept


def restored(weight: Array, scheme: Scheme, moment: Array | None = None) -> Array:
    """The float32 [outputs, inputs] that `weight` becomes under a scheme."""
    if scheme.kind == "fp32":
        return weight
    if scheme.kind == "channel8":
        found = channels.quantize(weight, moment)
        return np.ascontiguousarray((found.values * found.scales).T)
    block = blocks.fitting(scheme.block, weight.shape[1]) or scheme.block
    quantized = blocks.quantize(weight, block, blocks.BITS[scheme.kind], moment)
    return blocks.dequantize(quantized, weight.shape[1])
