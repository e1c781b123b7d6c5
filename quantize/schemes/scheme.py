"""What a scheme is: how the weights of one layer are stored and multiplied. Knows none of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import onnx_ir as ir
from torch import Tensor

from satchel.quantize.calibrate import Range, Statistics
from satchel.quantize.nodes import Replacement, layer_name, matrix_of
from satchel.quantize.rounding import Array


@dataclass(frozen=True)
class Layer:
    """A linear layer or a table that is being lowered, with the nodes that multiply by its weight, or
    those that look up where none does."""

    uses: Sequence[ir.Node]
    statistics: Statistics
    moment: Array | None  # of its inputs, where the profile rounds by it

    @property
    def name(self) -> str:
        return layer_name(self.uses[0])

    @property
    def matrix(self) -> Array:
        """Its weight float32 [outputs, inputs]."""
        return matrix_of(self.uses[0])


@dataclass(frozen=True)
class Scheme(ABC):
    """How the weights of one layer are stored and multiplied.

    With any, a row's result does not depend on its batch, on padding or on how the text was cut.
    """

    kind: ClassVar[str]
    by_range: ClassVar[bool] = False  # whether calibration's ranges fix its activations
    by_moment: ClassVar[bool] = False  # whether a profile that compensates rounds it by moments
    block: int = 0  # inputs that share a scale, 0 where the scheme has none

    def to_dict(self) -> dict[str, Any]:
        return {"kind": self.kind, "block": self.block}

    @abstractmethod
    def better(self) -> tuple[Scheme, float] | None:
        """The next better scheme, and which part of a loss it leaves; None where there is none."""

    def fits_layer(self, outputs: int, inputs: int) -> bool:
        """Whether it can hold the weight of a linear layer, and gains by it."""
        return True

    def fits_table(self, rows: int, width: int) -> bool:
        """Whether it can hold a table and the head tied to it, and gains by it."""
        return True

    @abstractmethod
    def bytes(self, outputs: int, inputs: int) -> int:
        """What a weight of that shape takes."""

    @abstractmethod
    def made(self, layer: Layer) -> Any:
        """The arrays of a layer, the same for all its uses: what the methods below call `weight`."""

    @abstractmethod
    def restored(self, matrix: Array, moment: Array | None = None) -> Array:
        """The float32 [outputs, inputs] that `matrix` becomes."""

    def rounding(self, matrix: Array, seen: Range | None) -> Callable[[Tensor], Tensor] | None:
        """What a layer's inputs become in front of it, None where they stay. Their scale is fixed by
        what calibration has `seen` of them, or each token's own where that is None."""
        return None

    @abstractmethod
    def linear(self, new: Replacement, weight: Any, statistics: Statistics) -> None:
        """Lower the ``satchel::Linear`` that `new` replaces."""

    @abstractmethod
    def embedding(self, new: Replacement, ids: ir.Value, weight: Any) -> None:
        """Lower the ``satchel::Embedding`` that `new` replaces."""
