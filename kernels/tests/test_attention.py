"""Attention over float32 and int8 caches: against numpy, and alike on every level and in every order."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest
from effort import examples
from hypothesis import given
from hypothesis import strategies as st
from table import Array, Kernels, attend

F32 = np.float32
EPSILON = float(np.finfo(F32).eps)
STEPS = 16319  # of the largest number of a query, and of the largest weight of a softmax, over int8


@dataclass
class Case:
    query: Array  # [batch, positions, heads, head]
    keys: Array  # [batch, kv_heads, capacity, head]
    values: Array
    past: list[int]
    lengths: list[int]
    scale: float
    causal: bool = True
    window: int = 0
    softcap: float = 0.0
    key_scales: Array | None = None  # [kv_heads, head], of int8 alone
    value_scales: Array | None = None
    bias: Array | None = None
    sinks: Array | None = None

    def run(self, kernels: Kernels, at_once: int = 24, fill: int = 255) -> Array:
        return attend(
            kernels,
            self.query,
            self.keys,
            self.values,
            past=self.past,
            lengths=self.lengths,
            scale=self.scale,
            causal=self.causal,
            window=self.window,
            softcap=self.softcap,
            key_scales=self.key_scales,
            value_scales=self.value_scales,
            bias=self.bias,
            sinks=self.sinks,
            at_once=at_once,
            fill=fill,
        )

    def seen(self, b: int, position: int) -> Array:
        """The keys that a query looks at."""
        own = self.past[b] + position
        at = np.arange(self.lengths[b])
        seen = at <= own if self.causal else np.ones(at.size, bool)
        return seen & (at > own - self.window) if self.window else seen

    def only(self, position: int) -> Case:
        """This position alone, behind all that came before it."""
        here = slice(position, position + 1)
        return replace(
            self,
            query=np.ascontiguousarray(self.query[:, here]),
            past=[past + position for past in self.past],
            lengths=[
                past + position + 1 if self.causal else length
                for past, length in zip(self.past, self.lengths, strict=True)
            ],
            bias=None if self.bias is None else np.ascontiguousarray(self.bias[:, :, here]),
        )


def cache(draw: Any, rng: np.random.Generator, shape: tuple[int, ...], lengths: list[int]) -> Any:
    """Keys and values; what lies behind a text's length is never read."""
    batch, kv_heads, _, head = shape
    if draw(st.booleans()):
        scales = [rng.random((kv_heads, head), dtype=F32) * F32(0.03) for _ in range(2)]
        return [rng.integers(-128, 128, shape, dtype=np.int8) for _ in range(2)], scales
    filled = [rng.standard_normal(shape).astype(F32) for _ in range(2)]
    for array in filled:
        for b in range(batch):
            array[b, :, lengths[b] :] = np.nan
    return filled, [None, None]


@st.composite
def cases(draw: Any) -> Case:
    kv_heads, group = draw(st.integers(1, 3)), draw(st.integers(1, 5))
    head = draw(st.one_of(st.integers(1, 256), st.sampled_from([32, 64, 80, 128])))
    batch = draw(st.integers(1, 2))
    positions = draw(st.one_of(st.integers(1, 8), st.integers(1, 90)))
    past = [draw(st.one_of(st.just(0), st.integers(0, 170))) for _ in range(batch)]
    lengths = [before + positions for before in past]
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    shape = (batch, kv_heads, max(lengths) + draw(st.integers(0, 3)), head)
    (keys, values), (key_scales, value_scales) = cache(draw, rng, shape, lengths)
    heads = kv_heads * group
    query = rng.standard_normal((batch, positions, heads, head)).astype(F32)
    query *= F32(draw(st.sampled_from([0, 1e-41, 0.1, 1, 10])))
    bias = sinks = None
    if draw(st.booleans()):
        bias = rng.standard_normal((batch, heads, positions, max(lengths))).astype(F32)
        hidden = rng.random(bias.shape) < 0.2
        hidden[..., 0] = hidden[..., -1] = False
        for b in range(batch):  # one's own key is never hidden
            for i in range(positions):
                hidden[b, :, i, past[b] + i] = False
        bias[hidden] = draw(st.sampled_from([-np.inf, np.finfo(F32).min, -1e9]))
    if draw(st.booleans()):
        sinks = (rng.standard_normal(heads) * 3).astype(F32)
    return Case(
        query=query,
        keys=keys,
        values=values,
        past=past,
        lengths=lengths,
        scale=draw(st.sampled_from([1.0, float(F32(head**-0.5))])),
        causal=draw(st.booleans()),
        window=draw(st.one_of(st.just(0), st.integers(1, 200))),
        softcap=draw(st.sampled_from([0.0, 0.5, 30.0])),
        key_scales=key_scales,
        value_scales=value_scales,
        bias=bias,
        sinks=sinks,
    )


def expected(case: Case, b: int, position: int, head: int) -> tuple[Array, Array]:
    """The answer in float64, and by how much the kernels may miss it.

    The bounds follow from what is rounded: products and sums to float32, and over int8 the query and the
    weights of the softmax to STEPS.
    """
    kv = head // (case.query.shape[2] // case.keys.shape[1])
    length = case.lengths[b]
    query = case.query[b, position, head].astype(np.float64)
    keys, values = (array[b, kv, :length].astype(np.float64) for array in (case.keys, case.values))
    size = keys.shape[1]
    scale = float(F32(case.scale))
    off = 2 * (size + 4) * EPSILON * scale * (np.abs(keys) @ np.abs(query))
    if case.key_scales is not None and case.value_scales is not None:
        scaled = query * case.key_scales[kv]
        off = 8 * EPSILON * scale * (np.abs(keys) @ np.abs(scaled)) + scale * 1e-30
        off += scale * (0.5 + 1e-2) * np.abs(scaled).max() / STEPS * np.abs(keys).sum(1)
        query, values = scaled, values * case.value_scales[kv]
    scores = keys @ query * scale
    if case.softcap:
        scores = np.tanh(scores / case.softcap) * case.softcap
        off = off + 8 * EPSILON * case.softcap
    if case.bias is not None:
        scores = scores + case.bias[b, head, position, :length]
        off = off + EPSILON * np.where(np.isfinite(scores), np.abs(scores), 0)
    seen = case.seen(b, position)
    scores, values, off = scores[seen], values[seen], off[seen]
    off = np.where(scores > scores.max() - 200, off, 0)
    sink = -np.inf if case.sinks is None else float(case.sinks[head])
    top = max(scores.max(), sink)
    weights = np.exp(scores - top)
    total = weights.sum() + np.exp(sink - top)
    answer = weights @ values / total
    relative = 2 * off.max() + (np.abs(scores - top)[weights > 1e-30].max(initial=0) + 1) * EPSILON
    relative += (len(scores) + 20) * EPSILON
    bound = np.expm1(relative) * (weights @ np.abs(values) / total) + 1e-30
    if case.key_scales is not None:
        bound += (0.5 + 1e-2) / STEPS / total * (np.abs(values) + np.abs(answer)).sum(0)
    return answer, bound


@examples(400)
@given(case=cases(), data=st.data())
def test_answers(levels: list[Kernels], case: Case, data: Any) -> None:
    """As numpy says, and the same bits on every level, with any number of rows at once."""
    out = case.run(levels[-1])
    for kernels in levels:
        at_once = data.draw(st.integers(1, 100))
        assert out.tobytes() == case.run(kernels, at_once).tobytes()
    batch, positions, heads, _ = case.query.shape
    for _ in range(6):
        b, position = data.draw(st.integers(0, batch - 1)), data.draw(st.integers(0, positions - 1))
        head = data.draw(st.integers(0, heads - 1))
        answer, bound = expected(case, b, position, head)
        assert (np.abs(out[b, position, head] - answer) <= bound).all()


@examples(150)
@given(case=cases(), data=st.data())
def test_a_text_in_pieces(levels: list[Kernels], case: Case, data: Any) -> None:
    """A position alone behind its past, and a text alone, give the same bits as all at once."""
    out = case.run(levels[-1])
    kernels = data.draw(st.sampled_from(levels))
    batch, positions = case.query.shape[:2]
    position = data.draw(st.integers(0, positions - 1))
    alone = case.only(position).run(kernels)
    assert out[:, position].tobytes() == alone[:, 0].tobytes()
    b = data.draw(st.integers(0, batch - 1))
    text = replace(
        case,
        query=case.query[b : b + 1],
        keys=case.keys[b : b + 1],
        values=case.values[b : b + 1],
        past=[case.past[b]],
        lengths=[case.lengths[b]],
        bias=None if case.bias is None else case.bias[b : b + 1],
    )
    assert out[b].tobytes() == text.run(kernels)[0].tobytes()


@examples(150)
@given(case=cases(), data=st.data())
def test_what_is_not_finite(levels: list[Kernels], case: Case, data: Any) -> None:
    """An odd number of a query or its bias spoils its own answer alone, one of a key those that see it.

    With a softcap or a sink, infinity may be a number in the end.
    """
    if case.bias is not None:
        case.bias[~np.isfinite(case.bias)] = -50
    batch, positions, heads, size = case.query.shape
    b, position = data.draw(st.integers(0, batch - 1)), data.draw(st.integers(0, positions - 1))
    head, d = data.draw(st.integers(0, heads - 1)), data.draw(st.integers(0, size - 1))
    odd = data.draw(st.sampled_from([np.nan, -np.nan, np.inf, -np.inf]))
    before = case.run(levels[-1])
    assert np.isfinite(before).all()
    spoilt = np.zeros((batch, positions, heads), bool)
    where = data.draw(st.sampled_from(["query", "bias", "keys"]))
    if where == "bias" and case.bias is not None:
        case.bias[b, head, position, case.past[b] + position] = abs(odd)
        spoilt[b, position, head] = True
    elif where != "keys" or case.keys.dtype == np.int8:
        case.query[b, position, head, d] = odd
        spoilt[b, position, head] = True
    else:
        group = heads // case.keys.shape[1]
        at = data.draw(st.integers(0, case.lengths[b] - 1))
        case.keys[b, head // group, at, d] = np.nan
        sees = [case.seen(b, i)[at] for i in range(positions)]
        spoilt[b, :, head // group * group : (head // group + 1) * group] = np.array(sees)[:, None]
    for kernels in levels:
        after = case.run(kernels, data.draw(st.integers(1, 60)))
        assert after[~spoilt].tobytes() == before[~spoilt].tobytes()
        if np.isnan(odd) or not (case.softcap or case.sinks is not None):
            assert not np.isfinite(after[spoilt]).any()


@pytest.mark.parametrize("softcap", [0.0, 5.0])
@pytest.mark.parametrize("int8", [False, True])
def test_sums_of_long_texts(levels: list[Kernels], int8: bool, softcap: float) -> None:
    """Thousands of equal keys of the largest numbers: no sum of integers leaves 32 bits."""
    length, head = 20000, 256
    keys = np.full((1, 1, length, head), -128 if int8 else 1.0, np.int8 if int8 else F32)
    query = np.full((1, 1, 1, head), -0.1 if int8 else 0.1, F32)
    case = Case(query, keys, keys, [length - 1], [length], 1.0, softcap=softcap)
    case.key_scales = case.value_scales = np.full((1, head), F32(1 / 128)) if int8 else None
    results = [case.run(kernels) for kernels in levels]
    assert all(result.tobytes() == results[0].tobytes() for result in results)
    np.testing.assert_allclose(results[0], -1.0 if int8 else 1.0, rtol=1e-4)


@pytest.mark.parametrize("int8", [False, True])
@pytest.mark.parametrize("apart", [5, 11, 20])
def test_many_small_weights_beside_a_large_one(
    levels: list[Kernels], apart: int, int8: bool
) -> None:
    """The first key weighs most, and 20,000 others together not nothing: their values tell how much.

    What is lost over int8 is at most the tile of the first key: 63 others.
    """
    length, head = 20000, 16
    keys = np.full((1, 1, length, head), -1, np.int8 if int8 else F32)
    values = np.full_like(keys, 100)
    keys[0, 0, 0], values[0, 0, 0] = 1, 0
    query = np.full((1, 1, 1, head), apart / 2 / head, F32)
    case = Case(query, keys, values, [length - 1], [length], 1.0)
    case.key_scales = case.value_scales = np.ones((1, head), F32) if int8 else None
    others = (length - 1) * np.exp(-apart)
    for kernels in levels:
        np.testing.assert_allclose(case.run(kernels), 100 * others / (1 + others), rtol=4e-3)


def test_more_keys_than_sums_of_32_bits_hold(levels: list[Kernels]) -> None:
    length, head = 300_000, 8
    keys = np.full((1, 1, length, head), 127, np.int8)
    ones = np.ones((1, head), F32)
    case = Case(np.zeros((1, 1, 1, head), F32), keys, keys, [length - 1], [length], 1.0)
    case.key_scales = case.value_scales = ones
    for kernels in levels:
        np.testing.assert_allclose(case.run(kernels), 127, rtol=1e-4)


@examples(100)
@given(case=cases())
def test_what_lies_in_the_scratch_makes_no_difference(levels: list[Kernels], case: Case) -> None:
    for kernels in levels:
        assert case.run(kernels, fill=0).tobytes() == case.run(kernels, fill=127).tobytes()
