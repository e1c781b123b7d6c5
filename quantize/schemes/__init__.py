"""The schemes that a layer can have, by name."""

from __future__ import annotations

from satchel.quantize.schemes.blocks import BLOCK_SIZES, BlockScheme
from satchel.quantize.schemes.blocks4 import BLOCKS4
from satchel.quantize.schemes.blocks8 import BLOCKS8
from satchel.quantize.schemes.channel8 import CHANNEL8
from satchel.quantize.schemes.fp32 import FP32
from satchel.quantize.schemes.scheme import Layer, Scheme
from satchel.runtime.errors import UsageError, shown

SCHEMES: dict[str, Scheme] = {scheme.kind: scheme for scheme in (FP32, BLOCKS8, BLOCKS4, CHANNEL8)}

__all__ = ["BLOCKS4", "BLOCKS8", "CHANNEL8", "FP32", "SCHEMES", "Layer", "Scheme", "scheme"]


def scheme(text: str) -> Scheme:
    """The scheme that a text names: a kind, and for blocks perhaps their size, as in ``blocks8:32``.

    Raises UsageError where there is none such.
    """
    kind, _, size = text.partition(":")
    named = SCHEMES.get(kind)
    if named is None:
        raise UsageError(f"scheme {shown(text)} is unknown; known: {', '.join(SCHEMES)}")
    if not size:
        return named
    if not isinstance(named, BlockScheme) or size not in map(str, BLOCK_SIZES):
        sizes = ", ".join(map(str, BLOCK_SIZES))
        raise UsageError(f"scheme {shown(text)}; expected blocks8 or blocks4 with one of {sizes}")
    return type(named)(int(size))
