"""Weights as they are."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import onnx_ir as ir

from satchel.quantize.calibrate import Statistics
from satchel.quantize.nodes import MICROSOFT, Replacement, operands, weight_of
from satchel.quantize.rounding import Array
from satchel.quantize.schemes.scheme import Layer, Scheme


@dataclass(frozen=True)
class Fp32(Scheme):
    """FusedMatMul with the weight as [outputs, inputs], and Gather."""

    kind: ClassVar[str] = "fp32"

    def better(self) -> None:
        return None

    def bytes(self, outputs: int, inputs: int) -> int:
        return 4 * outputs * inputs

    def made(self, layer: Layer) -> None:
        return None

    def restored(self, matrix: Array, moment: Array | None = None) -> Array:
        return matrix

    def linear(self, new: Replacement, weight: None, statistics: Statistics) -> None:
        x, matrix, bias = operands(new.source)
        product = new.add("FusedMatMul", [x, matrix], MICROSOFT, transB=1)
        if bias is not None:
            new.add("Add", [product, bias])

    def embedding(self, new: Replacement, ids: ir.Value, weight: None) -> None:
        new.add("Gather", [weight_of(new.source), ids], axis=0)


FP32 = Fp32()
