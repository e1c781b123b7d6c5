"""Better schemes for the layers that need them, until a bundle answers as `int8` should.

What a layer costs is measured on the reference model, one layer at a time with its weights and its
inputs rounded; whether it was enough says the bundle itself.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence

from satchel.export.check import Check
from satchel.progress import Stage
from satchel.quantize.calibrate import Statistics
from satchel.quantize.profile import Profile
from satchel.quantize.schemes import Scheme
from satchel.quantize.tune import costs
from satchel.recipe import Recipe

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
    recipe: Recipe, chosen: Profile, statistics: dict[str, Statistics], stage: Stage
) -> Iterator[tuple[Profile, float, str]]:
    """`chosen` with better schemes for the 1, 2, 4, ... layers that cost most, which part of all layers
    they are, and what to say of it."""
    before = recipe.answer()

    def loss() -> float:
        return recipe.loss(before, recipe.answer())

    found: dict[str, tuple[float, Scheme]] = {}
    for role, part in recipe.parts.items():
        progress = stage(f"measuring layers: {role}")
        schemes = {name: chosen.scheme(name, role) for name in statistics[role].ranges}
        for name, cost in costs(part, schemes, chosen, statistics[role], loss, progress).items():
            found[name] = max(
                found.get(name, (0.0, schemes[name])), (cost, schemes[name]), key=_cost
            )
    worst = sorted(found, key=lambda name: -found[name][0])
    count = 1
    while worst and count < 2 * len(worst):
        count = min(count, len(worst))
        names = worst[:count]
        layers = {name: better[0] for name in names if (better := found[name][1].better())}
        listed = ", ".join(names[:NAMED]) + (", ..." if count > NAMED else "")
        remark = f"{count} of {len(worst)} layers have better schemes, to answer closer: {listed}"
        profile = dataclasses.replace(chosen, layers=layers | chosen.layers)
        yield profile, count / len(worst), remark
        count *= 2


def _cost(found: tuple[float, Scheme]) -> float:
    return found[0]
