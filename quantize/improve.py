"""Better schemes for the layers that need them, until a bundle answers as `int8` should.

The cost of a layer is measured on the reference model, with that layer's weights and inputs rounded.
Whether it was enough says the bundle itself.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import product

import torch

from satchel.export.check import Check
from satchel.models.layers import Linear
from satchel.quantize.prepare import Prepared, Readers, Stage
from satchel.quantize.profile import Profile
from satchel.quantize.schemes import BLOCKS8, FP32, Scheme
from satchel.quantize.tune import convolution_costs, convolutions, costs

MOST_KL, LEAST_AGREEMENT = 0.01, 0.99  # the aims
PART = 0.25  # of the layers, that may change for an aim
NAMED = 6  # layers that a remark names


def short(checks: Sequence[Check], figures: dict[str, float]) -> tuple[bool, bool]:
    """Whether a bundle fails a check, and whether it misses what int8 aims at.

    Where a divergence is measured the likeliest label is no aim: of thousands, two are often as likely.
    """
    missed = False
    for name, value in figures.items():
        role, _, last = name.rpartition(".")
        if last == "mean_kl":
            missed |= value > MOST_KL
        elif last == "agreement" and f"{role}.mean_kl" not in figures:
            missed |= value < LEAST_AGREEMENT
    return any(not item.passed for item in checks), missed


def better(
    readers: Readers, prepared: Prepared, stage: Stage
) -> Iterator[tuple[Profile, float, str]]:
    """The profile with better schemes for the 1, 2, 4, ... layers that cost most, then with still better
    ones, which part of all layers have any, and what to say of it."""
    chosen = prepared.profile
    layers = _layers(readers, prepared, stage)
    worst = sorted(layers, key=lambda name: -layers[name].cost)
    steps = max((len(layer.better) for layer in layers.values()), default=0)
    for step, count in product(range(steps), _doubled(len(worst))):
        changed = {}
        for place, name in enumerate(worst):
            schemes = layers[name].better[: step + (place < count)]
            if schemes:
                changed[name] = schemes[-1]
        more = sum(layers[name].growth(scheme) for name, scheme in changed.items()) / 1e6
        listed = ", ".join(worst[:count][:NAMED]) + (", ..." if count > NAMED else "")
        remark = (
            f"{len(changed)} of {len(worst)} layers have better schemes, to answer closer, and take "
            f"{more:.1f} MB more: {listed}"
        )
        profile = dataclasses.replace(chosen, layers=changed | chosen.layers)
        yield profile, len(changed) / len(worst), remark


@dataclass(frozen=True)
class _Costly:
    """A layer's scheme, what it costs, and better ones, the next first."""

    cost: float
    scheme: Scheme
    better: list[Scheme]
    shape: torch.Size  # of its weight, [outputs, inputs]

    def growth(self, scheme: Scheme) -> int:
        """How many bytes another scheme takes more."""
        outputs, inputs = self.shape
        return scheme.bytes(outputs, inputs) - self.scheme.bytes(outputs, inputs)


def _layers(readers: Readers, prepared: Prepared, stage: Stage) -> dict[str, _Costly]:
    """The layers that could have better schemes, by name."""
    before = readers.answer()

    def loss() -> float:
        return readers.loss(before, readers.answer())

    chosen = prepared.profile
    found: dict[str, _Costly] = {}
    roles = {part: role for role, part in readers.parts.items()}  # two graphs may be of one model
    for part, role in roles.items():
        seen = prepared.statistics[role]
        linear = {n: layer for n, layer in part.named_modules() if isinstance(layer, Linear)}
        schemes = {name: chosen.scheme(name, role) for name in linear}
        progress = stage(f"measuring layers: {role}")
        for name, cost in costs(part, schemes, chosen, seen, loss, progress).items():
            if name not in found or found[name].cost < cost:
                scheme, shape = schemes[name], linear[name].weight.shape
                found[name] = _Costly(cost, scheme, _next(scheme), shape)
        kernels = convolutions(part)
        schemes = {name: chosen.scheme(name, role) for name in kernels}
        planes = seen.planes if chosen.convolved else {}
        progress = stage(f"measuring convolutions: {role}")
        for name, cost in convolution_costs(part, schemes, planes, loss, progress).items():
            scheme, shape = schemes[name], kernels[name].weight.flatten(1).shape
            multiplied = name in planes and scheme.by_range
            first = [BLOCKS8] if multiplied else []  # then its product alone is of float32
            found[name] = _Costly(cost, scheme, [*first, FP32], shape)
    return found


def _next(scheme: Scheme) -> list[Scheme]:
    better = scheme.better()
    return [better[0]] if better else []


def _doubled(most: int) -> list[int]:
    """1, 2, 4, ... and `most`."""
    counts = [1 << power for power in range(most.bit_length())]
    return [*(count for count in counts if count < most), most] if most else []
