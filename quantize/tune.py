"""Choose the scheme of each layer by what it costs in quality. Knows no graph and no family.

One layer at a time has its weights rounded as the profile says, and the model's answer is compared with
what it was. What the layers cost adds up, nearly; so the worst get the next better scheme until the sum
is within the budget.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np
import torch
from torch import nn

from satchel.models.layers import Linear
from satchel.quantize import blocks, channels
from satchel.quantize.calibrate import Statistics
from satchel.quantize.profile import BLOCKS8, FP32, Profile, Scheme
from satchel.quantize.rounding import Array

Progress = Callable[[Iterable[Any]], Iterable[Any]]
BETTER = {"blocks4": BLOCKS8, "blocks8": FP32, "channel8": FP32}
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
    costs = {}
    for name in progress(list(schemes)):
        moment = statistics.moment(name) if profile.compensates(schemes[name]) else None
        costs[name] = _cost(model, name, schemes[name], moment, loss)
    chosen: dict[str, Scheme] = {}
    while costs and sum(costs.values()) > budget:
        worst = max(costs, key=lambda name: costs[name])
        if costs[worst] < TRUE:
            break
        chosen[worst] = BETTER[schemes[worst].kind]
        schemes[worst] = chosen[worst]
        # Eight more bits than four make an error 2 ** 8 times smaller in energy.
        costs[worst] = costs[worst] / 256 if chosen[worst].kind in BETTER else 0.0
    return replace(profile, layers=profile.layers | chosen)


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
