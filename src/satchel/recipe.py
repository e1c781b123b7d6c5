"""What a family tells `packing`: its graphs, its part of the manifest, and its proof."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray
from torch import nn

from satchel.export.check import Check
from satchel.progress import Stage
from satchel.quantize.quality import calibration as shipped
from satchel.runtime.bundle import Bundle
from satchel.runtime.errors import UsageError
from satchel.runtime.manifest import Port


@dataclass(frozen=True)
class Wishes:
    """What the user asked of an export that depends on the family.

    `calibration` are the texts that scales are fixed by, those of the package where it is None.
    """

    context: int | None = None
    task: str | None = None
    ignored_keys: Collection[str] = ()
    calibration: Sequence[str] | None = None

    @property
    def texts(self) -> Sequence[str]:
        """What to calibrate on."""
        return shipped() if self.calibration is None else self.calibration

    def no_calibration(self, reads: str) -> None:
        """Raise where texts were given to a model that reads something else."""
        if self.calibration is not None:
            raise UsageError(f"--calibration is a file of texts; this model reads {reads}")


@dataclass(frozen=True)
class Traceable:
    """A module that becomes a graph, and the graph's signature."""

    module: nn.Module
    inputs: list[Port]
    outputs: list[Port]


class Recipe(Protocol):
    """How a family is packed."""

    @property
    def graphs(self) -> dict[str, Traceable]:
        """By role, what becomes ``role.onnx``."""

    @property
    def tokenizer(self) -> bytes | None:
        """Content of tokenizer.json; None for models that read no text."""

    @property
    def notes(self) -> list[str]:
        """Remarks for the user."""

    def facts(self) -> dict[str, Any]:
        """The family's fields of the manifest."""

    @property
    def parts(self) -> dict[str, nn.Module]:
        """By role, the module whose layers a graph's are named after."""

    def feed(self, role: str, stage: Stage) -> None:
        """Let that part read what scales are calibrated on: texts or images made for it."""

    def answer(self) -> NDArray[np.float32]:
        """What the reference model makes of one input, to see whether it is still the same model."""

    def loss(self, expected: NDArray[np.float32], found: NDArray[np.float32]) -> float:
        """How far one answer is from another: 0 where they are the same."""

    def exact_checks(self, bundle: Bundle) -> list[Check]:
        """The float32 graphs against the reference model."""

    def prove(
        self, bundle: Bundle, exact: bool, stage: Stage
    ) -> tuple[list[Check], dict[str, Any]]:
        """Checks of the written graphs, and the manifest's figures; `exact` where it is float32."""
