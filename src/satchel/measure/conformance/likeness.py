"""How an answer differs from what is expected. Knows no model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from satchel.runtime.errors import shown

# By the name that numbers stand under: how far apart they may be, as a part of the largest of those
# beside them in one list, or of 1 where that is more. Whole numbers, texts and all else are equal.
TOLERANCES = {
    "values": 1e-4,
    "vectors": 1e-5,
    "logprobs": 1e-4,
    "score": 1e-4,
    "scores": 1e-4,
    "no_answer": 1e-4,
    "languages": 1e-4,
    "shares": 1e-2,  # of an image: pixels between two labels fall to either
    "boxes": 1e-4,
    "start": 1e-6,  # of a segment, in seconds
    "end": 1e-6,
    "duration": 1e-6,
}
HASH = "sha256"  # holds for one version of ONNX Runtime on one kind of processor


def differences(
    expected: Any,
    found: Any,
    tolerances: dict[str, float],
    bits: bool,
    place: str = "",
    name: str = "",
) -> Iterator[str]:
    """What differs and where, a line each; hashes are compared where `bits` can be the same."""
    if name == HASH and not bits:
        return
    if isinstance(expected, dict) and isinstance(found, dict):
        if missing := [
            key for key in [*expected, *found] if key not in expected or key not in found
        ]:
            which = f"{sorted(found)}, expected {sorted(expected)}: {missing[0]}"
            yield f"{place or 'the answer'} has {which}"
            return
        for key, value in expected.items():
            at = f"{place}.{key}".lstrip(".")
            known = key if key in tolerances or key == HASH else name
            yield from differences(value, found[key], tolerances, bits, at, known)
    elif isinstance(expected, list) and isinstance(found, list):
        if len(expected) != len(found):
            yield f"{place}: {shown(found)}, expected {shown(expected)}"
        elif expected and all(type(value) is float for value in expected):
            yield from _apart(expected, found, tolerances.get(name, 0.0), place)
        else:
            for index, (one, other) in enumerate(zip(expected, found, strict=True)):
                yield from differences(one, other, tolerances, bits, f"{place}[{index}]", name)
    elif type(expected) is float and type(found) in (float, int):
        yield from _apart([expected], [found], tolerances.get(name, 0.0), place)
    elif type(expected) is not type(found) or expected != found:
        yield f"{place}: {shown(found)}, expected {shown(expected)}"


def _apart(expected: list[float], found: list[Any], tolerance: float, place: str) -> Iterator[str]:
    """The number that is furthest from what is expected, if that is too far."""
    limit = tolerance * max(1.0, *map(abs, expected))
    far = [abs(one - other) for one, other in zip(expected, found, strict=True)]
    worst = max(range(len(far)), key=lambda index: far[index])
    if not far[worst] <= limit:
        where = f"{place}[{worst}]" if len(far) > 1 else place
        yield f"{where}: {found[worst]:.9g}, expected {expected[worst]:.9g} within {limit:.3g}"
