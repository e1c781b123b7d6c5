"""Better schemes for the layers that need them, until a bundle answers as `int8` should.

The cost of a layer is measured on the reference model, with that layer's weights and inputs rounded.
Whether it was enough says the bundle itself.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from satchel.export.check import Check
from satchel.models.layers import Linear
from satchel.quantize.prepare import Prepared, Readers, Stage
from satchel.quantize.profile import Profile
from satchel.quantize.schemes import Scheme
from satchel.quantize.tune import costs

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
    """The profile with better schemes for the 1, 2, 4, ... layers that cost most, which part of all
    layers they are, and what to say of it."""
    before = readers.answer()

    def loss() -> float:
        return readers.loss(before, readers.answer())

    chosen, statistics = prepared.profile, prepared.statistics
    cost_of: dict[str, tuple[float, Scheme]] = {}
    growth: dict[str, int] = {}  # bytes that the next better scheme takes more
    roles = {part: role for role, part in readers.parts.items()}  # two graphs may be of one model
    for part, role in roles.items():
        progress = stage(f"measuring layers: {role}")
        layers = {n: layer for n, layer in part.named_modules() if isinstance(layer, Linear)}
        schemes = {name: chosen.scheme(name, role) for name in layers}
        for name, cost in costs(part, schemes, chosen, statistics[role], loss, progress).items():
            cost_of[name] = max(
                cost_of.get(name, (0.0, schemes[name])), (cost, schemes[name]), key=_cost
            )
            growth[name] = _growth(schemes[name], layers[name])
    worst = sorted(cost_of, key=lambda name: -cost_of[name][0])
    count = 1
    while worst and count < 2 * len(worst):
        count = min(count, len(worst))
        names = worst[:count]
        changed = {name: better[0] for name in names if (better := cost_of[name][1].better())}
        more = sum(growth[name] for name in names) / 1e6
        listed = ", ".join(names[:NAMED]) + (", ..." if count > NAMED else "")
        remark = (
            f"{count} of {len(worst)} layers have better schemes, to answer closer, and take "
            f"{more:.1f} MB more: {listed}"
        )
        profile = dataclasses.replace(chosen, layers=changed | chosen.layers)
        yield profile, count / len(worst), remark
        count *= 2


def _cost(pair: tuple[float, Scheme]) -> float:
    return pair[0]


def _growth(scheme: Scheme, layer: Linear) -> int:
    """How many bytes the next better scheme of a layer takes more."""
    shape, better = (layer.out_features, layer.in_features), scheme.better()
    return better[0].bytes(*shape) - scheme.bytes(*shape) if better else 0
