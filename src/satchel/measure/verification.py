"""Check a bundle where it is going to run: without its checkpoint and without torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from satchel.runtime.errors import BundleError
from satchel.runtime.sample_answers import LACKING, SampleAnswer

if TYPE_CHECKING:
    from satchel.runtime import Model


@dataclass(frozen=True)
class Verdict:
    """One check: what was measured, and the most it may be."""

    name: str
    value: float
    limit: float

    @property
    def passed(self) -> bool:
        return bool(self.value <= self.limit)

    def words(self) -> str:
        """The figure beside its limit, for an error."""
        return f"{self.name} {self.value:.3g}, limit {self.limit:.3g}"

    def cells(self) -> tuple[str, str, str, str]:
        """For a table."""
        return (
            self.name,
            f"{self.value:.3g}",
            f"{self.limit:.3g}",
            "ok" if self.passed else "FAILED",
        )


def verify(model: Model) -> list[Verdict]:
    """Repeat the export's parity on this machine.

    Loading the model has checked files and signatures; what is left are its answers to its probes.
    """
    try:
        verdicts = [_verdict(answer) for answer in model.sample_answers()]
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise BundleError(LACKING) from error
    files = Verdict("files match the manifest", 0, 0), Verdict("graph inputs and outputs", 0, 0)
    return [*files, *verdicts]


def _verdict(answer: SampleAnswer) -> Verdict:
    distance = np.abs(answer.actual - answer.expected).max()
    return Verdict(answer.name, float(distance), answer.limit)
