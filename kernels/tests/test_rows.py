"""Norms, gates, rotation and rounding of single rows: against numpy, and alike on every level."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from effort import examples
from hypothesis import given
from hypothesis import strategies as st
from table import Array, Kernels, address

F32 = np.float32
EPSILON = float(np.finfo(F32).eps)
SIZES = st.integers(1, 700)
SEEDS = st.integers(0, 2**32)


def normal(seed: int, *shape: int, size: float = 1.0) -> Array:
    return (np.random.default_rng(seed).standard_normal(shape) * size).astype(F32)


def on_all(levels: list[Kernels], make: Callable[[Kernels], Array]) -> Array:
    """What every level gives, which has to be the same bits."""
    results = [make(kernels) for kernels in levels]
    assert all(result.tobytes() == results[0].tobytes() for result in results)
    return results[0]


def norm(
    kernels: Kernels,
    x: Array,
    skip: Array | None,
    weight: Array,
    shift: Array | None,
    epsilon: float,
    layer: bool,
) -> Array:
    """The normed row, and below it the sum that it is the norm of, where there is one."""
    y, total = np.full_like(x, np.nan), np.full_like(x, np.nan)
    given = [x, skip, weight, shift] if layer else [x, skip, weight]
    function = kernels.layer_norm if layer else kernels.rms_norm
    function(*map(address, given), epsilon, x.size, address(total), address(y))
    assert skip is not None or np.isnan(total).all()
    return np.stack([y, x if skip is None else total])


@examples(300)
@given(
    n=SIZES,
    seed=SEEDS,
    size=st.sampled_from([0.0, 1e-6, 1.0, 1e6]),
    mean=st.sampled_from([0.0, 1.0]),
    layer=st.booleans(),
    has_skip=st.booleans(),
    has_shift=st.booleans(),
    epsilon=st.sampled_from([1e-12, 1e-5]),
)
def test_norms(
    levels: list[Kernels],
    n: int,
    seed: int,
    size: float,
    mean: float,
    layer: bool,
    has_skip: bool,
    has_shift: bool,
    epsilon: float,
) -> None:
    x = normal(seed, n, size=size) + F32(mean * size)
    skip = normal(seed + 1, n, size=size) if has_skip else None
    weight = normal(seed + 2, n)
    shift = normal(seed + 3, n) if has_shift and layer else None
    y, total = on_all(levels, lambda one: norm(one, x, skip, weight, shift, epsilon, layer))
    added = x if skip is None else x + skip
    np.testing.assert_array_equal(total, added)

    whole = added.astype(np.float64)
    centred = whole - whole.mean() if layer else whole
    root = np.sqrt((centred**2).mean() + float(F32(epsilon)))
    answer = centred / root * weight + (0 if shift is None else shift)
    steps = n / 16 + 12
    off = steps * EPSILON * np.abs(answer - (0 if shift is None else shift))
    if layer:  # the mean is rounded too, which matters where numbers are nearly alike
        off_mean = steps * EPSILON * np.abs(whole).mean()
        off += (off_mean + off_mean * np.abs(centred) / root) / root * np.abs(weight)
        off += EPSILON * np.abs(whole) / root * np.abs(weight)
    off += 2 * EPSILON * (0 if shift is None else np.abs(shift)) + 1e-37
    assert (np.abs(y - answer) <= off).all()


@pytest.mark.parametrize("layer", [False, True])
def test_sums_may_be_written_over_what_they_are_of(levels: list[Kernels], layer: bool) -> None:
    x, skip, weight = normal(0, 100), normal(1, 100), normal(2, 100)
    for kernels in levels:
        y, total = norm(kernels, x, skip, weight, None, 1e-5, layer)
        for place in (0, 1):
            rows, over = [x.copy(), skip.copy()], np.empty(100, F32)
            given = [*rows, weight, *([None] if layer else [])]
            function = kernels.layer_norm if layer else kernels.rms_norm
            function(*map(address, given), 1e-5, 100, address(rows[place]), address(over))
            assert over.tobytes() == y.tobytes() and rows[place].tobytes() == total.tobytes()


NUMBERS = np.concatenate(
    [
        np.linspace(-15, 15, 5003),
        np.linspace(-0.01, 0.01, 301),
        [0.0, -0.0, 1e-38, -1e-38, 1e-45, -1e-45, 50, -50, 88, -88, 89, -89, 1e30, -1e30],
    ]
).astype(F32)


def gelu(kernels: Kernels, x: Array, tanh: bool) -> Array:
    y = np.full_like(x, np.nan)
    kernels.gelu(address(x), tanh, x.size, address(y))
    return y


def swiglu(kernels: Kernels, gate: Array, up: Array | None, alpha: float) -> Array:
    y = np.full_like(gate, np.nan)
    kernels.swiglu(address(gate), address(up), alpha, gate.size, address(y))
    return y


@pytest.mark.parametrize("tanh", [False, True])
def test_gelu(levels: list[Kernels], tanh: bool) -> None:
    y = on_all(levels, lambda kernels: gelu(kernels, NUMBERS, tanh))
    x = NUMBERS.astype(np.float64)
    if tanh:
        share = np.tanh(np.clip(math.sqrt(2 / math.pi) * (x + 0.044715 * x**3), -400, 400))
    else:
        share = np.array([math.erf(number / math.sqrt(2)) for number in x])
    off = np.abs(x) * 4e-7 * np.where(np.abs(x) > 15, 0, 1) + np.abs(x) * EPSILON
    assert (np.abs(y - x * 0.5 * (share + 1)) <= off + 1e-37).all()


@pytest.mark.parametrize("alpha", [1.0, 1.702, -1.0])
def test_swiglu(levels: list[Kernels], alpha: float) -> None:
    up = normal(0, NUMBERS.size)
    x = NUMBERS.astype(np.float64)
    with np.errstate(over="ignore"):
        answer = x / (1 + np.exp(-float(F32(alpha)) * x))
    for other in (None, up):
        y = on_all(levels, lambda kernels, by=other: swiglu(kernels, NUMBERS, by, alpha))  # type: ignore[misc]
        expected = answer if other is None else answer * other
        # The exponent is rounded: by 88 times epsilon at most where the answer is not yet 0.
        off = np.abs(expected) * (8 + np.minimum(np.abs(alpha * x), 90)) * EPSILON
        assert (np.abs(y - expected) <= off + 1e-35).all()


@examples(100)
@given(n=SIZES, seed=SEEDS)
def test_numbers_do_not_depend_on_their_place(levels: list[Kernels], n: int, seed: int) -> None:
    """Gates treat the sixteen lanes and what is left at the end alike."""
    x, up = normal(seed, n, size=5), normal(seed + 1, n)
    order = np.random.default_rng(seed).permutation(n)
    for kernels in levels:
        for tanh in (False, True):
            assert (
                gelu(kernels, x[order], tanh).tobytes() == gelu(kernels, x, tanh)[order].tobytes()
            )
        moved = swiglu(kernels, x[order], up[order], 1.0)
        assert moved.tobytes() == swiglu(kernels, x, up, 1.0)[order].tobytes()
        y = np.full_like(x, np.nan)
        kernels.times(address(x), address(up), n, address(y))
        np.testing.assert_array_equal(y, x * up)


@examples(300)
@given(n=SIZES, seed=SEEDS, shift=st.sampled_from([0, -10, 10]), data=st.data())
def test_the_largest(levels: list[Kernels], n: int, seed: int, shift: float, data: Any) -> None:
    x = normal(seed, n) + F32(shift)
    for kernels in levels:
        assert kernels.top(address(x), False, n) == x.max()
        assert kernels.top(address(x), True, n) == np.abs(x).max()
    x[data.draw(st.integers(0, n - 1))] = data.draw(st.sampled_from([np.nan, -np.nan]))
    x[data.draw(st.integers(0, n - 1))] = data.draw(st.sampled_from([np.inf, 0.0, np.nan]))
    if np.isnan(x).any():
        for kernels in levels:
            assert np.isnan(kernels.top(address(x), False, n))
            assert np.isnan(kernels.top(address(x), True, n))


def rotate(
    kernels: Kernels, x: Array, cos: Array, sin: Array, interleaved: bool, rotary: int
) -> Array:
    y = np.full_like(x, np.nan)
    angles = (address(cos), address(sin))
    kernels.rotate(address(x), *angles, x.size, rotary, interleaved, address(y))
    return y


@examples(300)
@given(head=st.integers(1, 256), seed=SEEDS, interleaved=st.booleans(), data=st.data())
def test_rotation(
    levels: list[Kernels], head: int, seed: int, interleaved: bool, data: Any
) -> None:
    half = data.draw(st.integers(0, head // 2))
    x = normal(seed, head)
    angles = np.random.default_rng(seed).uniform(0, 6.3, half)
    cos, sin = np.cos(angles).astype(F32), np.sin(angles).astype(F32)
    y = on_all(levels, lambda kernels: rotate(kernels, x, cos, sin, interleaved, 2 * half))
    turned = x[: 2 * half].astype(np.float64)
    pairs = turned.reshape(-1, 2).T if interleaved else turned.reshape(2, -1)
    answer = np.stack([pairs[0] * cos - pairs[1] * sin, pairs[1] * cos + pairs[0] * sin])
    answer = answer.T.ravel() if interleaved else answer.ravel()
    np.testing.assert_allclose(y[: 2 * half], answer, rtol=0, atol=2 * EPSILON * 5)
    assert y[2 * half :].tobytes() == x[2 * half :].tobytes()


@examples(300)
@given(n=st.integers(1, 256), seed=SEEDS)
def test_rounding_into_the_cache(levels: list[Kernels], n: int, seed: int) -> None:
    x = normal(seed, n, size=3)
    scales = np.random.default_rng(seed).random(n, dtype=F32) * F32(0.04) + F32(1e-3)
    x[::5] = F32(2.5) * scales[::5]  # halves go to the even number
    y = on_all(levels, lambda kernels: rounded(kernels, x, scales))
    np.testing.assert_array_equal(y, np.clip(np.rint(x / scales), -128, 127))


def rounded(kernels: Kernels, x: Array, scales: Array) -> Array:
    y = np.empty(x.size, np.int8)
    kernels.round_cache(address(x), address(scales), x.size, address(y))
    return y


@pytest.mark.parametrize("n", [1, 15, 16, 17, 64, 100])
@pytest.mark.parametrize("odd", [np.nan, -np.nan, np.inf, -np.inf])
def test_what_is_not_finite(levels: list[Kernels], n: int, odd: float) -> None:
    """A norm of such a row is nowhere finite, a gate just there; the cache holds its ends."""
    weight = np.ones(n, F32)
    for place in {0, n // 2, n - 1}:
        x = normal(0, n)
        plain = [gelu(levels[0], x, False), swiglu(levels[0], x, weight, 1.0)]
        x[place] = odd
        others = np.arange(n) != place
        for kernels in levels:
            y = norm(kernels, x, None, weight, None, 1e-5, True)[0]
            assert not np.isfinite(y).any()
            y = norm(kernels, x, None, weight, None, 1e-5, False)[0]
            assert np.isnan(y[place])
            assert np.isnan(y[others]).all() if np.isnan(odd) else not y[others].any()
            for gate, before in zip(
                [gelu(kernels, x, False), swiglu(kernels, x, weight, 1.0)], plain, strict=True
            ):
                assert not np.isfinite(gate[place])
                assert gate[others].tobytes() == before[others].tobytes()
            assert not np.isfinite(gelu(kernels, x, True)[place])
            assert rounded(kernels, x, weight)[place] == (127 if odd == np.inf else -128)
