"""What beam search is made of: the choice of continuations, and moving rows of the cache."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from satchel.runtime.beam import (
    block_count,
    block_peaks,
    common_length,
    log_normaliser,
    placed,
    top_continuations,
)
from satchel.runtime.cache import KVCache, Memory
from satchel.runtime.errors import SatchelError
from satchel.runtime.manifest import CacheGeometry


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.integers(0, 2**32),
    st.integers(1, 4),
    st.integers(1, 6),
    st.integers(1, 3000),
    st.integers(1, 40),
    st.sampled_from([0.0, 0.3, 0.999]),
)
def test_top_continuations_equal_a_sort(
    seed: int, sources: int, beams: int, vocab: int, count: int, banned: float
) -> None:
    random = np.random.default_rng(seed)
    log_probs = random.normal(-5, 3, (sources * beams, vocab)).astype(np.float32)
    log_probs[random.random(log_probs.shape) < banned] = -np.inf
    scores = random.normal(-9, 4, (sources, beams)).astype(np.float32)
    scores[random.random(scores.shape) < banned / 2] = -np.inf
    peaks = np.empty((len(log_probs), block_count(vocab, count)), np.float32)
    for row, found in zip(log_probs, peaks, strict=True):
        block_peaks(row, found)
    found, rows, ids = top_continuations(log_probs, peaks, scores, count)
    assert ids.min() >= 0 and ids.max() < vocab  # the graph takes those without a finite score too
    sums = log_probs.reshape(sources, beams, vocab) + scores[:, :, None]
    expected = -np.sort(-sums.reshape(sources, -1), axis=1)[:, :count]
    np.testing.assert_array_equal(found, expected)
    for source in range(sources):  # each is what it says, and none comes twice
        real = np.isfinite(found[source])
        places = rows[source][real], ids[source][real]
        np.testing.assert_array_equal(sums[source][places], found[source][real])
        assert len(set(zip(*places, strict=True))) == real.sum()


def test_log_normaliser_equals_torch() -> None:
    random = np.random.default_rng(0)
    for banned in (False, True):
        logits = random.normal(0, 20, 5001).astype(np.float32)
        logits[::2] = -np.inf if banned else logits[::2]
        expected = torch.tensor(logits, dtype=torch.float64).logsumexp(-1)
        assert log_normaliser(logits) == pytest.approx(float(expected), rel=1e-6)
    for wrong in (np.nan, np.inf):
        with pytest.raises(SatchelError, match="not finite"):
            log_normaliser(np.array([1, wrong], np.float32))


@pytest.mark.parametrize("parents", list(itertools.product(range(3), repeat=3)), ids=str)
def test_placed_overwrites_no_row_that_goes_on(parents: tuple[int, ...]) -> None:
    order = placed(np.array(parents))
    assert sorted(order.tolist()) == [0, 1, 2]
    rows = [parents[child] for child in order]
    for row in set(parents):
        assert rows[row] == row


@pytest.fixture
def cache() -> KVCache:
    """Four rows of 5, 9, 7 and 2 positions."""
    cache = KVCache(CacheGeometry(layers=2, kv_heads=3, head_dim=4), 4, 500)
    cache.reserve(9)
    random = np.random.default_rng(0)
    for array in cache.arrays.values():
        array[:] = random.normal(size=array.shape)
    return cache


ORDERS = [*itertools.product(range(4), repeat=4), (0,), (3, 1), (1, 3), (2, 0, 1), (3, 3, 1)]
ORDERS += [(0, 0, 1, 1, 2, 2, 3, 3), (3, 2, 1, 0, 3)]


def test_reorder_equals_a_gather(cache: KVCache) -> None:
    lengths = np.array([5, 9, 7, 2])
    before = {place: array.copy() for place, array in cache.arrays.items()}
    for rows in ORDERS:
        for place, array in cache.arrays.items():
            array[:] = before[place]
        other = KVCache(cache.geometry, 4, 500)
        other.reserve(9)
        for place, array in other.arrays.items():
            array[:] = before[place]
        moved = other.reorder(np.array(rows), np.zeros(len(rows), np.int64), lengths)
        assert moved == (len(rows) != 4) and other.batch == len(rows)
        for place, array in other.arrays.items():
            assert array.shape[0] == len(rows) and other.values[place].shape()[0] == len(rows)
            for row, source in enumerate(rows):
                end = lengths[source]
                np.testing.assert_array_equal(array[row, :, :end], before[place][source, :, :end])


def test_reorder_copies_what_is_not_shared_and_nothing_else(cache: KVCache) -> None:
    before = {place: array.copy() for place, array in cache.arrays.items()}
    cache.reorder(np.array([0, 1, 1, 0]), np.array([0, 0, 4, 1]), np.array([5, 9, 7, 2]))
    for place, array in cache.arrays.items():
        expected = before[place].copy()
        expected[2, :, 4:9] = before[place][1, :, 4:9]
        expected[3, :, 1:5] = before[place][0, :, 1:5]
        np.testing.assert_array_equal(array, expected)


def test_memory_serves_the_next_cache_and_no_two_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    memory, geometry = Memory(), CacheGeometry(layers=1, kv_heads=1, head_dim=4)

    def cache(batch: int) -> KVCache:
        made = KVCache(geometry, batch, 500, memory)
        made.reserve(1)
        return made

    def shared(first: KVCache, second: KVCache) -> bool:
        return any(
            np.shares_memory(one, other)
            for one in first.arrays.values()
            for other in second.arrays.values()
        )

    first, second = cache(4), cache(2)
    assert not shared(first, second)
    arrays = list(first.arrays.values())
    first.release()
    third = cache(3)  # fits into what the first had
    assert all(np.shares_memory(block, arrays[0].base) for block in third.arrays.values())
    assert not shared(second, third) and not shared(third, cache(3))
    monkeypatch.setattr("satchel.runtime.cache.KEPT", 0)
    third.release()
    assert not shared(third, cache(3))


def test_a_cache_grows_in_memory_that_others_used() -> None:
    memory, geometry = Memory(), CacheGeometry(layers=2, kv_heads=3, head_dim=4)
    used = KVCache(geometry, 9, 500, memory)
    used.reserve(500)
    for array in used.arrays.values():
        array[:] = 7
    used.release()
    cache = KVCache(geometry, 2, 500, memory)
    cache.reserve(5)
    for number, array in enumerate(cache.arrays.values()):
        array[:, :, :5] = number
    cache.reserve(200)
    cache.reorder(np.array([0, 0, 1, 1]), np.zeros(4, np.int64), np.array([5, 5]))
    for number, array in enumerate(cache.arrays.values()):
        assert array.shape == (4, 3, 256, 4) and (array[:, :, :5] == number).all()


def test_common_length() -> None:
    first = np.array([[1, 2, 3], [1, 2, 3], [1, 2, 3], [1, 2, 3]])
    second = np.array([[1, 2, 3], [9, 2, 3], [1, 2, 4], [1, 5, 3]])
    assert common_length(first, second).tolist() == [3, 0, 2, 1]
