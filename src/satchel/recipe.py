"""What a family tells `packing`: its graphs, its part of the manifest, and its proof."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol

from torch import nn

from satchel.export.check import Check
from satchel.progress import Stage
from satchel.quantize.calibrate import Ranges
from satchel.runtime.bundle import Bundle, Port


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

    def ranges(self, role: str, stage: Stage) -> Ranges:
        """How far the inputs of a graph's linear layers go, on texts or images made for it."""

    def exact_checks(self, bundle: Bundle) -> list[Check]:
        """The float32 graphs against the reference model."""

    def prove(
        self, bundle: Bundle, exact: bool, stage: Stage
    ) -> tuple[list[Check], dict[str, Any]]:
        """Checks of the written graphs, and the manifest's figures; `exact` where it is float32."""
