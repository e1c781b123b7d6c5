"""The greatest of numbers: of equal ones the first, whatever instructions the processor has."""

from __future__ import annotations

import numpy as np
import pytest

from satchel.runtime.beam import block_count, block_peaks, top_continuations
from satchel.runtime.greatest import places_of_greatest


@pytest.mark.parametrize("count", [1, 3, 40, 200, 201, 500])
def test_the_first_of_equal_ones(count: int) -> None:
    few = np.random.default_rng(0).integers(0, 5, (7, 200)).astype(np.float32)
    few[3] = -np.inf
    few[4, 150:] = np.inf
    order = np.argsort(-few, axis=1, kind="stable")[:, :count]
    np.testing.assert_array_equal(places_of_greatest(few, count), np.sort(order, axis=1))


def test_what_is_no_number_is_taken_too() -> None:
    values = np.array([[1.0, np.nan, 2.0, np.nan, 0.0]], np.float32)
    for count, places in ((1, 1), (2, 2), (3, 3)):
        found = places_of_greatest(values, count)
        assert found.shape == (1, places) and (np.diff(found) > 0).all()


def test_continuations_that_are_equally_likely() -> None:
    """Of equal ones the first beam's, then the lowest id, though they are found block by block."""
    logits = np.full((2, 800), -np.inf, np.float32)
    logits[:, [14, 198, 700]] = 0.0
    shifts = np.zeros((1, 2), np.float32)
    peaks = np.empty((2, block_count(800, 4)), np.float32)
    for row, place in zip(logits, peaks, strict=True):
        block_peaks(row, place)
    values, beams, ids = top_continuations(logits, peaks, shifts, 4)
    assert values.tolist() == [[0.0] * 4]
    assert list(zip(beams[0].tolist(), ids[0].tolist(), strict=True)) == [
        (0, 14),
        (0, 198),
        (0, 700),
        (1, 14),
    ]
