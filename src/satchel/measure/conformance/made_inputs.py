"""Texts, sounds and images that a file of cases describes in a few numbers, so that every runtime makes
the same: in whole numbers alone, which round nowhere."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

LOUD = 8000  # of 32768, at most, of one of the two tones
WORD = np.uint64(0xFFFFFFFF)


def text(given: Any) -> Any:
    """A text: itself, its UTF-16 units where it holds half a pair, or a piece so many times."""
    if not isinstance(given, dict):
        return given
    if "units" in given:
        return "".join(map(chr, given["units"]))
    return given["repeat"] * given["times"]


def texts(given: Any) -> Any:
    """Texts, pairs of texts (lists of two) among them, as the runtime takes them."""
    return [tuple(map(text, one)) if isinstance(one, list) else text(one) for one in given]


def sound(given: dict[str, Any], rate: int) -> NDArray[np.float32]:
    """float32 [samples]: two tones that swell, under noise; none of it from `silence[0]` to `[1]`."""
    seed, places = int(given["seed"]), np.arange(int(given["samples"]), dtype=np.int64)
    total = _noise(places, seed)
    for tone in (0, 1):
        phase = places * (150 + 170 * tone + 90 * seed) % rate
        wave = 2 * np.abs(2 * phase - rate) - rate
        loudness = np.abs(2 * (places * (1 + tone) % rate) - rate)
        total += wave * loudness * LOUD // (rate * rate)
    start, end = given.get("silence", (0, 0))
    total[start:end] = 0
    return (total / 32768).astype(np.float32)


def _noise(places: NDArray[np.int64], seed: int) -> NDArray[np.int64]:
    """Whole numbers from -512 to 511, which look like chance."""
    mixed = (places.astype(np.uint64) * np.uint64(2654435761) + np.uint64(seed * 40503)) & WORD
    mixed ^= mixed >> np.uint64(15)
    mixed = mixed * np.uint64(2246822519) & WORD
    mixed ^= mixed >> np.uint64(13)
    return (mixed >> np.uint64(22)).astype(np.int64) - 512


def image(given: dict[str, Any]) -> NDArray[np.uint8]:
    """uint8 [height, width, 3]: slopes with squares of 8 on them."""
    y, x, channel = np.ogrid[: given["height"], : given["width"], :3]
    squares = (((x >> 3) ^ (y >> 3)) & 1) * 64
    value = 97 * given["seed"] + 31 * channel + 3 * x + 5 * y + (x * y >> 3) + squares
    return np.ascontiguousarray(value % 256, np.uint8)
