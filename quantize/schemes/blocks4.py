"""4-bit weights in blocks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from satchel.quantize.schemes.blocks import BlockScheme
from satchel.quantize.schemes.blocks8 import BLOCKS8
from satchel.quantize.schemes.scheme import Scheme


@dataclass(frozen=True)
class Blocks4(BlockScheme):
    """4 bits, and a zero point of 4 bits for each block."""

    kind: ClassVar[str] = "blocks4"
    bits: ClassVar[int] = 4
    by_moment: ClassVar[bool] = True
    block: int = 32

    def better(self) -> tuple[Scheme, float]:
        return BLOCKS8, 1 / 256  # four more bits make an error 2 ** 8 times smaller in energy


BLOCKS4 = Blocks4()
