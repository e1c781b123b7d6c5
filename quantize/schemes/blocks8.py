"""8-bit weights in blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from satchel.quantize.schemes.blocks import BlockScheme
from satchel.quantize.schemes.fp32 import FP32
from satchel.quantize.schemes.scheme import Scheme


@dataclass(frozen=True)
class Blocks8(BlockScheme):
    """8 bits, symmetric.

    Never rounded by moments: they are near enough, and what is won in divergence is lost in perplexity.
    """

    kind: ClassVar[str] = "blocks8"
    bits: ClassVar[int] = 8

    def better(self) -> tuple[Scheme, float]:
        return FP32, 0.0


BLOCKS8 = Blocks8()
