"""Rounding of rows, and products with packed weights: against numpy, and alike on every level."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest
from effort import examples
from hypothesis import given
from hypothesis import strategies as st
from table import (
    Array,
    Kernels,
    Matrix,
    Rounded,
    multiply,
    pack,
    pack_channels,
    round_blocks,
    round_rows,
    up,
)

F32 = np.float32
EPSILON = float(np.finfo(F32).eps)


@dataclass
class Blocks:
    """Weights with a scale for each block, and rows."""

    x: Array
    weights: Array  # as they are packed
    signed: Array  # [n, padded]: what they stand for
    scales: Array
    bits: int
    block: int
    zeros: Array | None
    bias: Array | None

    def matrix(self, kernels: Kernels) -> Matrix:
        k = self.x.shape[1]
        shape = {"k": k, "bits": self.bits, "block": self.block}
        return pack(kernels, self.weights, self.scales, **shape, zeros=self.zeros, bias=self.bias)

    def multiply(self, kernels: Kernels) -> Array:
        matrix = self.matrix(kernels)
        return multiply(matrix, round_blocks(matrix, self.x))


@st.composite
def blocks(draw: Any) -> Blocks:
    bits = draw(st.sampled_from([8, 4]))
    block = draw(st.sampled_from([16, 32, 48, 64, 128, 256]))
    rows, n = draw(st.integers(1, 20)), draw(st.integers(1, 130))
    k = draw(st.integers(1, 3 * block))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    padded = up(k, block)
    x = rng.standard_normal((rows, k)).astype(F32) * F32(10.0 ** draw(st.integers(-6, 6)))
    if draw(st.booleans()):  # some rows of nothing
        x[rng.random(rows) < 0.3] = 0
    weights = rng.integers(0, 256, (n, k if bits == 8 else padded // 2), dtype=np.uint8)
    signed = np.zeros((n, padded), np.int64)
    signed[:, : k if bits == 8 else padded] = weights if bits == 8 else halves(weights)
    zeros, middle = None, np.full((n, padded // block), 2 ** (bits - 1))
    if draw(st.booleans()):
        zeros = rng.integers(0, 256, (n, up(padded // block * bits, 8) // 8), dtype=np.uint8)
        middle = (zeros if bits == 8 else halves(zeros))[:, : padded // block].astype(np.int64)
    signed -= np.repeat(middle, block, 1)
    scales = rng.random((n, padded // block), dtype=F32) * F32(0.02)
    bias = rng.standard_normal(n).astype(F32) if draw(st.booleans()) else None
    return Blocks(x, weights, signed, scales, bits, block, zeros, bias)


def halves(packed: Array) -> Array:
    """Numbers of 4 bits, two in each byte of a row."""
    return np.stack([packed & 15, packed >> 4], -1).reshape(len(packed), -1)


@dataclass
class Channels:
    """Weights with a scale for each column; the rows have one scale together, or one each."""

    x: Array
    weights: Array
    scales: Array
    scale: float | None
    of_rows: Array | None
    zero: int
    bias: Array | None

    def matrix(self, kernels: Kernels) -> Matrix:
        scale = 1.0 if self.scale is None else self.scale
        offset = 128 - self.zero
        return pack_channels(
            kernels, self.weights, self.scales, scale=scale, offset=offset, bias=self.bias
        )

    def divisor(self) -> Any:
        """What each row is divided by."""
        return F32(self.scale) if self.of_rows is None else self.of_rows[:, None]

    def rounded(self, matrix: Matrix) -> Rounded:
        return round_rows(matrix, self.x, self.zero, self.scale, self.of_rows)

    def multiply(self, kernels: Kernels) -> Array:
        matrix = self.matrix(kernels)
        return multiply(matrix, self.rounded(matrix))


@st.composite
def channels(draw: Any, lowest: int = -127) -> Channels:
    rows, n, k = draw(st.integers(1, 20)), draw(st.integers(1, 130)), draw(st.integers(1, 300))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    size = F32(10.0 ** draw(st.integers(-6, 6)))
    x = rng.standard_normal((rows, k)).astype(F32) * size
    weights = rng.integers(lowest, 128, (k, n), dtype=np.int8)
    scales = rng.random(n if draw(st.booleans()) else 1, dtype=F32) * F32(0.01)
    zero = draw(st.integers(0, 255))
    bias = rng.standard_normal(n).astype(F32) if draw(st.booleans()) else None
    scale = of_rows = None
    if draw(st.booleans()):
        scale = float(size * F32(0.02))  # some numbers are beyond what 256 steps reach
    else:
        of_rows = (np.abs(x).max(1) / F32(127)).astype(F32) + F32(1e-12)
    return Channels(x, weights, scales, scale, of_rows, zero, bias)


def same_bits(arrays: list[Array]) -> bool:
    return all(array.tobytes() == arrays[0].tobytes() for array in arrays)


@examples(250)
@given(case=blocks())
def test_rows_are_rounded_by_blocks(levels: list[Kernels], case: Blocks) -> None:
    """To 127 steps of each block's largest number, half to even; the same in numpy, step by step."""
    rows, k = case.x.shape
    padded = up(k, case.block)
    x = np.zeros((rows, padded), F32)
    x[:, :k] = case.x
    parts = x.reshape(rows, -1, case.block)
    most = np.abs(parts).max(-1)
    with np.errstate(divide="ignore"):
        steps = np.where(most > F32(1e-30), F32(127) / most, F32(0))
    values = np.rint(parts * steps[..., None])
    for kernels in levels:
        rounded = round_blocks(case.matrix(kernels), case.x)
        np.testing.assert_array_equal(rounded.values, values.reshape(rows, padded))
        np.testing.assert_array_equal(rounded.scales, most / F32(127))
        np.testing.assert_array_equal(rounded.sums, values.sum(-1))


@examples(250)
@given(case=channels())
def test_rows_are_rounded_as_by_quantize_linear(levels: list[Kernels], case: Channels) -> None:
    scale = case.divisor()
    values = np.clip(np.rint(case.x / scale), -case.zero, 255 - case.zero) + case.zero - 128
    for kernels in levels:
        rounded = case.rounded(case.matrix(kernels))
        k = case.x.shape[1]
        np.testing.assert_array_equal(rounded.values[:, :k], values)
        assert not rounded.values[:, k:].any()
        np.testing.assert_array_equal(rounded.sums[:, 0], values.sum(-1))


@examples(1000)
@given(case=blocks())
def test_products_by_blocks(levels: list[Kernels], case: Blocks) -> None:
    """Sums of integers are exact, so that only a few roundings a block are left."""
    results = [case.multiply(kernels) for kernels in levels]
    assert same_bits(results)
    rounded = round_blocks(case.matrix(levels[0]), case.x)
    rows, n = len(case.x), len(case.weights)
    assert rounded.scales is not None
    parts = rounded.values.reshape(rows, -1, case.block).astype(np.float64)
    signed = case.signed.reshape(n, -1, case.block).astype(np.float64)
    sums = (parts.transpose(1, 0, 2) @ signed.transpose(1, 2, 0)).transpose(1, 2, 0)
    terms = sums * rounded.scales[:, None] * case.scales.astype(np.float64)
    bias = 0 if case.bias is None else case.bias.astype(np.float64)
    size = np.abs(terms).sum(-1) + np.abs(bias)
    error = np.abs(results[0] - (terms.sum(-1) + bias))
    assert (error <= (terms.shape[-1] + 3) * EPSILON * size + 1e-38).all()


@examples(1000)
@given(case=channels())
def test_products_by_channels(levels: list[Kernels], case: Channels) -> None:
    results = [case.multiply(kernels) for kernels in levels]
    assert same_bits(results)
    check_channels(case, results[0])


def check_channels(case: Channels, y: Array) -> None:
    scale = case.divisor()
    steps = np.clip(np.rint(case.x / scale), -case.zero, 255 - case.zero).astype(np.float64)
    factor = np.asarray(scale, np.float64) * case.scales.astype(np.float64)
    product = (steps @ case.weights.astype(np.float64)) * factor
    bias = np.zeros(product.shape[1]) if case.bias is None else case.bias.astype(np.float64)
    error = np.abs(y - (product + bias))
    assert (error <= 4 * EPSILON * (np.abs(product) + np.abs(bias)) + 1e-38).all()


@examples(100)
@given(case=channels(lowest=-128))
def test_weights_of_the_lowest_number(levels: list[Kernels], case: Channels) -> None:
    """Levels that say so take -128 as well, and give the same bits."""
    results = [case.multiply(kernels) for kernels in levels if kernels.any_weights]
    assert same_bits(results)
    check_channels(case, results[0])


@pytest.mark.parametrize("k", [16, 32768])
@pytest.mark.parametrize("weight", [-127, 127])
@pytest.mark.parametrize("value", [0, 255])
def test_the_largest_products_by_channels(
    levels: list[Kernels], k: int, weight: int, value: int
) -> None:
    """Of as many inputs as a node takes: no sum leaves 32 bits, in between or at the end."""
    x = np.full((2, k), 1e9 if value else -1e9, F32)
    weights = np.full((k, 3), weight, np.int8)
    for zero in (0, 128, 255):
        case = Channels(x, weights, np.ones(1, F32), 1.0, None, zero, None)
        for kernels in levels:
            check_channels(case, case.multiply(kernels))


@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("byte", [0, 255])
def test_the_largest_products_by_blocks(levels: list[Kernels], bits: int, byte: int) -> None:
    block, n = 4096, 17
    x = np.ones((5, block), F32)
    x[1] = -1
    x[2, ::2] = -1
    weights = np.full((n, block * bits // 8), byte, np.uint8)
    scales = np.ones((n, 1), F32)
    expected = x.sum(1) * ((-128 if bits == 8 else -8) if byte == 0 else (127 if bits == 8 else 7))
    for kernels in levels:
        matrix = pack(kernels, weights, scales, k=block, bits=bits, block=block)
        y = multiply(matrix, round_blocks(matrix, x))
        np.testing.assert_allclose(y, np.repeat(expected[:, None], n, 1), rtol=1e-6)


@examples(150)
@given(case=st.one_of(blocks(), channels()), data=st.data())
def test_a_row_is_alone_what_it_is_among_others(
    levels: list[Kernels], case: Blocks | Channels, data: Any
) -> None:
    """And so is a column: rows and panels in any order and any number at once give the same bits."""
    kernels = data.draw(st.sampled_from(levels))
    matrix = case.matrix(kernels)
    whole = case.multiply(kernels)
    rows = round_blocks(matrix, case.x) if isinstance(case, Blocks) else case.rounded(matrix)
    panels = data.draw(st.permutations(range(matrix.struct.panels)))
    assert same_bits([whole, multiply(matrix, rows, panels)])
    first = data.draw(st.integers(0, len(case.x) - 1))
    last = data.draw(st.integers(first + 1, len(case.x)))
    case.x = np.ascontiguousarray(case.x[first:last])
    if isinstance(case, Channels) and case.of_rows is not None:
        case.of_rows = case.of_rows[first:last]
    assert same_bits([np.ascontiguousarray(whole[first:last]), case.multiply(kernels)])


@examples(150)
@given(case=st.one_of(blocks(), channels()), data=st.data())
@pytest.mark.parametrize("odd", [np.nan, -np.nan, np.inf, -np.inf])
def test_what_is_not_finite_stays_in_its_row(
    levels: list[Kernels], odd: float, case: Blocks | Channels, data: Any
) -> None:
    """By blocks, where no scale is 0, all of its row is then not finite."""
    rows, k = case.x.shape
    row, place = data.draw(st.integers(0, rows - 1)), data.draw(st.integers(0, k - 1))
    case.x[row, place] = 0
    before = [case.multiply(kernels) for kernels in levels]
    case.x[row, place] = odd
    after = [case.multiply(kernels) for kernels in levels]
    others = np.arange(rows) != row
    assert same_bits([array[others] for array in before + after])
    if isinstance(case, Blocks):
        case.scales[case.scales == 0] = 1
        for array in after:
            assert not np.isfinite(array[row]).any()


@pytest.mark.parametrize("bits", [8, 4])
def test_tiny_and_huge_numbers(levels: list[Kernels], bits: int) -> None:
    """Blocks of denormals are 0. Sums become floats before they are scaled: up to 1e32 they fit."""
    block, n = 32, 5
    rng = np.random.default_rng(0)
    weights = rng.integers(0, 256, (n, 2 * block * bits // 8), dtype=np.uint8)
    scales = np.full((n, 2), 1e-3, F32)
    x = np.zeros((5, 2 * block), F32)
    x[0] = rng.standard_normal(2 * block) * 1e-40
    x[1, :block] = rng.standard_normal(block)
    x[1, block:] = 1e-45
    x[2, :block] = x[1, :block]
    x[3] = 1e32 * np.sign(rng.standard_normal(2 * block))
    x[4, 0] = np.finfo(F32).max
    results = []
    for kernels in levels:
        matrix = pack(kernels, weights, scales, k=2 * block, bits=bits, block=block)
        results.append(multiply(matrix, round_blocks(matrix, x)))
    assert same_bits(results)
    assert not results[0][0].any()
    np.testing.assert_array_equal(results[0][1], results[0][2])
    assert np.isfinite(results[0][3]).all() and results[0][3].all()
    assert results[0][4].all()
