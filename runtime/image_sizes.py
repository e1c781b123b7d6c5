"""Sizes of images: what makes sense, and how large an image of so many patches is. Knows no pixels."""

from __future__ import annotations

import math
from typing import Any

LARGEST_SIDE = 4096  # of what a graph takes
LARGEST_NUMBER = 1e6  # in a normalisation that makes sense
NEAR, FARTHEST = 1e-5, 100.0  # where the search for a scale ends and begins


def most_patches(height: int, width: int, side: int, most: int) -> tuple[int, int]:
    """Height and width of an image as near to so many patches of this `side` as its proportions allow:
    those that the processor of transformers finds, by halves."""

    def sized(scale: float) -> tuple[int, int]:
        rows, columns = (max(1, math.ceil(edge * scale / side)) for edge in (height, width))
        return rows, columns

    low, high = NEAR / 10, FARTHEST
    while high - low >= NEAR:
        middle = (low + high) / 2
        low, high = (middle, high) if math.prod(sized(middle)) <= most else (low, middle)
    rows, columns = sized(low)
    return rows * side, columns * side


def is_side(value: Any) -> bool:
    """Whether it is a number of pixels."""
    return type(value) is int and 1 <= value <= LARGEST_SIDE


def is_size(value: Any) -> bool:
    """Whether it is [height, width]."""
    return isinstance(value, list) and len(value) == 2 and all(map(is_side, value))


def are_numbers(values: Any, count: int, least: float = 0) -> bool:
    """Whether they are `count` numbers that make sense, of `least` or more without their sign."""
    return (
        isinstance(values, list)
        and len(values) == count
        and all(type(value) is float and least <= abs(value) <= LARGEST_NUMBER for value in values)
    )
