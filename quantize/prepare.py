"""Bring reference models into the form that rounds best, and see what their layers are given.

Decided before a graph is traced: rotation, calibration, smoothing, the cache and better schemes for
single layers. Knows no family and no file.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from torch import nn

from satchel.export.check import Check, distance, tolerance
from satchel.quantize import cache8
from satchel.quantize.calibrate import Moments, Statistics, watched
from satchel.quantize.profile import Profile
from satchel.quantize.rotate import obstacle, rotate
from satchel.quantize.rounding import Array
from satchel.quantize.smooth import smooth
from satchel.quantize.tune import tune
from satchel.runtime.bundle import Progress
from satchel.runtime.errors import UsageError

FREE = 0.004  # mean divergence that an int8 cache may cost, unless it was asked for
NOTEWORTHY = 0.05  # part of the weights
SMALL = 1 << 28  # bytes that are worth no second reading of the calibration
Stage = Callable[[str], Progress]  # a name of a stage gives what to wrap its work items in


class Readers(Protocol):
    """Reference models that read and answer: what a family's recipe offers to quantisation."""

    @property
    def notes(self) -> list[str]:
        """Remarks for the user."""

    @property
    def parts(self) -> dict[str, nn.Module]:
        """By role, the module whose layers a graph's are named after."""

    def feed(self, role: str, stage: Stage) -> None:
        """Let that part read what scales are calibrated on: texts or images made for it."""

    def answer(self) -> Array:
        """What the reference model makes of one input, to see whether it is still the same model."""

    def loss(self, expected: Array, actual: Array) -> float:
        """How far one answer is from another: 0 where they are the same."""


@dataclass(frozen=True)
class Prepared:
    """The profile with what was decided, what was proven of it, and by role what layers are given."""

    profile: Profile
    checks: list[Check]
    statistics: dict[str, Statistics]


def prepare(
    readers: Readers, profile: Profile, fixed_cache: bool, budget: float | None, stage: Stage
) -> Prepared:
    """Change the models of `readers` in place as `profile` wants it.

    With a `fixed_cache` the profile's is taken whatever it costs; `budget` is the loss up to which layers
    get better schemes, None for no such search.
    """
    readers.notes.extend(_convolutions(readers, profile))
    profile, checks = rotated(readers, profile)
    profile, statistics = calibrated(readers, profile, stage)
    if not fixed_cache:
        profile = with_free_cache(readers, profile, statistics)
    if budget is not None:
        profile = tuned(readers, profile, statistics, budget, stage)
    return Prepared(profile, checks, statistics)


def _convolutions(readers: Readers, profile: Profile) -> list[str]:
    """A remark where a good part of the weights could be multiplied in int8, too."""
    parts = {id(part): part for part in readers.parts.values()}.values()
    convolved = sum(
        layer.weight.numel()
        for part in parts
        for layer in part.modules()
        if isinstance(layer, nn.Conv2d)
    )
    share = convolved / max(1, sum(w.numel() for part in parts for w in part.parameters()))
    if profile.convolved or not profile.default.by_range or share < NOTEWORTHY:
        return []
    return [
        f"convolutions, {share:.0%} of the weights, are kept in int8 and multiplied in float32; "
        "--calibration FOLDER of images like those it will see multiplies in int8"
    ]


def rotated(readers: Readers, profile: Profile) -> tuple[Profile, list[Check]]:
    """The models in another basis where they can be, and whether they still answer the same."""
    if not profile.rotated:
        return profile, []
    before = readers.answer()
    parts = dict.fromkeys(readers.parts.values())  # two graphs may come from one model
    reasons = {reason for part in parts if (reason := obstacle(part)) is not None}
    readers.notes.extend(f"residual streams are not rotated: {each}" for each in sorted(reasons))
    changes = [change for part in parts for change in rotate(part)]
    if not changes:
        return profile.after_rotation(changes), []
    moved = distance(readers.answer(), before)
    check = Check("rotated against the checkpoint", moved, tolerance(before))
    return profile.after_rotation(changes), [check]


def calibrated(
    readers: Readers, profile: Profile, stage: Stage
) -> tuple[Profile, dict[str, Statistics]]:
    """What the layers of each part are given, after MLPs that allow it were smoothed."""
    statistics: dict[str, Statistics] = {}
    smoothed = False
    for role, part in readers.parts.items() if profile.calibrated else ():
        same = [statistics[other] for other in statistics if readers.parts[other] is part]
        if same:
            statistics[role] = same[0]
        else:
            statistics[role] = _observed(readers, role, part, profile, stage)
            if not profile.opened:  # an adapter would have to know by how much
                smoothed |= smooth(part, statistics[role])
    return dataclasses.replace(profile, smoothed=smoothed), statistics


def _observed(
    readers: Readers, role: str, part: nn.Module, profile: Profile, stage: Stage
) -> Statistics:
    """What the layers of a part are given."""

    def compensated(name: str) -> bool:
        return profile.compensates(profile.scheme(name, role))

    with watched(part) as statistics:
        readers.feed(role, stage)
    weights = sum(parameter.nbytes for parameter in part.parameters())
    budget = max(weights // 2, SMALL)
    again = lambda: readers.feed(role, lambda name: iter)  # noqa: E731
    statistics.moment = Moments(part, again, budget, compensated)
    return statistics


def with_free_cache(
    readers: Readers, profile: Profile, statistics: dict[str, Statistics]
) -> Profile:
    """The profile with a float32 cache where keys and values in int8 would cost more than FREE."""
    seen = statistics.get("decoder")
    if not cache8.kept(profile, seen):
        return profile
    assert seen is not None
    before = readers.answer()
    with cache8.rounding(readers.parts["decoder"], seen.caches):
        cost = readers.loss(before, readers.answer())
    if cost <= FREE:
        return profile
    readers.notes.append(
        f"the cache stays float32: int8 would cost a divergence of {cost:.2g}; --cache int8 for that"
    )
    return dataclasses.replace(profile, cache="float32")


def tuned(
    readers: Readers,
    profile: Profile,
    statistics: dict[str, Statistics],
    budget: float,
    stage: Stage,
) -> Profile:
    """The profile with better schemes for the layers that cost most."""
    if not profile.calibrated:
        raise UsageError(f"--tune has no effect with --profile {profile.name}")
    if not budget > 0:
        raise UsageError(f"--tune {budget}; expected a loss above 0, such as 0.01")
    before = readers.answer()

    def loss() -> float:
        return readers.loss(before, readers.answer())

    for role, part in readers.parts.items():
        progress = stage(f"measuring layers: {role}")
        profile = tune(part, role, profile, statistics[role], loss, budget, progress)
    return profile
