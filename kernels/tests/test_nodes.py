"""The provider in ONNX Runtime: every form that it claims, against stock ONNX Runtime."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from cases import (
    BEFORE,
    F32,
    ROUNDINGS,
    Grouped,
    Layer,
    MultiHead,
    Product,
    Random,
    assert_near,
    stock,
)
from effort import examples
from graphs import MICROSOFT, Graph, claimed, run, run_in_place, session
from hypothesis import given
from hypothesis import strategies as st

SEEDS = st.integers(0, 2**32)


def any_of(kind: Any, seed: int) -> Any:
    return kind.any(np.random.default_rng(seed))


@pytest.mark.parametrize("before", BEFORE)
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_products(devices: list[Any], before: str, rounding: str) -> None:
    Product(before, rounding, zero=128 if rounding == "row_magnitude" else 120).check(devices)


@pytest.mark.parametrize("k", [64, 96])  # an even number of blocks, and an odd one
@pytest.mark.parametrize("rounding", ["blocks8", "blocks4"])
def test_zero_points_of_blocks(devices: list[Any], rounding: str, k: int) -> None:
    for before in ("", "rms", "gated_silu"):
        Product(before, rounding, k=k, zeros=True).check(devices)


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("bias", ["behind", "left"])
def test_products_with_a_bias(devices: list[Any], rounding: str, bias: str) -> None:
    zero = 128 if rounding == "row_magnitude" else 24
    Product("layer", rounding, bias=bias, zero=zero).check(devices)


@pytest.mark.parametrize("before", ["", "rms", "layer_sum", "gelu", "gated_silu"])
@pytest.mark.parametrize("rounding", ["fixed", "row", "row_magnitude"])
def test_products_of_smoothed_rows(devices: list[Any], before: str, rounding: str) -> None:
    zero = 128 if rounding == "row_magnitude" else 24
    Product(before, rounding, zero=zero, smooth=True, one_scale=True).check(devices)


ATTENTION: list[dict[str, Any]] = [
    {},
    {"packed": True},
    {"rotary": 32},
    {"rotary": 16},
    {"rotary": 32, "interleaved": True},
    {"rotary": 16, "interleaved": True, "packed": True},
    {"window": 1},
    {"window": 3},
    {"softcap": 1.0},
    {"bias": True},
    {"bias": True, "softcap": 1.0},  # a bias is added to what the softcap gives
    {"sinks": True},
    {"sinks": True, "softcap": 1.0, "bias": True, "window": 3},
    {"scale": 0.5},
    {"heads": 6, "kv_heads": 1, "head": 80},
    {"heads": 3, "kv_heads": 3, "head": 256},
]
LENGTHS: list[dict[str, Any]] = [
    {"positions": 1, "past": (5, 2)},
    {"positions": 1, "past": (11, 0, 7)},  # the first fills the cache
    {"positions": 6, "past": (0, 0)},
    {"positions": 6, "past": (0, 0, 0), "ends": (6, 1, 4)},
    {"positions": 4, "past": (7,)},
    {"positions": 4, "past": (7, 0, 3)},
    {"positions": 4, "past": (0,), "capacity": 0},  # a cache that grows
    {"positions": 1, "past": (12, 12)},
]


@pytest.mark.parametrize("int8", [False, True], ids=["float32", "int8"])
@pytest.mark.parametrize("lengths", LENGTHS, ids=str)
@pytest.mark.parametrize("options", ATTENTION, ids=str)
def test_attention_over_a_cache(
    devices: list[Any], options: dict[str, Any], lengths: dict[str, Any], int8: bool
) -> None:
    case = Grouped(**options, **lengths, int8=int8)
    replace(case, in_place=case.longest <= case.capacity).check(devices)


@pytest.mark.parametrize("form", ["plain", "cache", "split"])
@pytest.mark.parametrize("lengths", [None, (3, 5)])
@pytest.mark.parametrize("bias", [None, (True, True), (False, True), (True, False), (False, False)])
def test_attention_without_a_cache(
    devices: list[Any], form: str, lengths: Any, bias: tuple[bool, bool] | None
) -> None:
    keys = 0 if form == "split" else 9
    MultiHead(form=form, keys=keys, lengths=lengths, bias=bias).check(devices)
    causal = form == "split"
    MultiHead(form=form, lengths=lengths, bias=bias, causal=causal, scale=0.7).check(devices)


def test_lengths_that_no_text_has(devices: list[Any]) -> None:
    """Past the end is the end; with no key seen all are, as ONNX Runtime has it (with coarse scores)."""
    for ends in [(9, 30), (0, -2)]:
        built = MultiHead(keys=9, lengths=ends).build()
        out = run(session(built.model, devices), built.feeds)[0]
        np.testing.assert_allclose(out, stock(built)[0], atol=1e-5 if ends[0] else 3e-3)
        assert_near(out, stock(MultiHead(keys=9).build())[0])


@examples(300)
@given(seed=SEEDS, threads=st.integers(1, 3), level=st.sampled_from(["best", "scalar"]))
def test_any_product(devices: list[Any], seed: int, threads: int, level: str) -> None:
    any_of(Product, seed).check(devices, threads=threads, level=level)


@examples(300)
@given(seed=SEEDS, threads=st.integers(1, 3), level=st.sampled_from(["best", "scalar"]))
def test_any_attention_over_a_cache(
    devices: list[Any], seed: int, threads: int, level: str
) -> None:
    any_of(Grouped, seed).check(devices, threads=threads, level=level)


@examples(300)
@given(seed=SEEDS, threads=st.integers(1, 3), level=st.sampled_from(["best", "scalar"]))
def test_any_attention_without_a_cache(
    devices: list[Any], seed: int, threads: int, level: str
) -> None:
    any_of(MultiHead, seed).check(devices, threads=threads, level=level)


@examples(60)
@given(seed=SEEDS, threads=st.integers(1, 3), level=st.sampled_from(["best", "scalar"]))
def test_any_layer(devices: list[Any], seed: int, threads: int, level: str) -> None:
    any_of(Layer, seed).check(devices, threads=threads, level=level)


# ---- what belongs together


@pytest.mark.parametrize("int8", [False, True], ids=["float32", "int8"])
@pytest.mark.parametrize("rotary", [0, 16])
def test_a_text_in_pieces(devices: list[Any], int8: bool, rotary: int) -> None:
    """All at once, or some tokens at a time behind what is in the cache: the same bits."""
    base = Grouped(positions=9, past=(0, 0), int8=int8, rotary=rotary, window=6)
    whole = base.build()
    made = session(whole.model, devices)
    answer, keys, values = run(made, whole.feeds)
    cache = {name: np.zeros_like(whole.feeds[name]) for name in ("past_key", "past_value")}
    names = [output.name for output in made.get_outputs()]
    same = {names[1]: "past_key", names[2]: "past_value"}
    first = 0
    for last in (4, 5, 7, 8, 9):
        feeds = dict(whole.feeds, **cache)
        for name in ("query", "key", "value"):
            feeds[name] = np.ascontiguousarray(whole.feeds[name][:, first:last])
        feeds["lengths"] = np.full(2, last - 1, np.int32)
        feeds["total"] = np.array([last], np.int32)
        piece, *present = run_in_place(made, feeds, same)
        assert piece.tobytes() == answer[:, first:last].tobytes()
        cache = dict(zip(cache, present, strict=True))
        first = last
    assert cache["past_key"][:, :, :9].tobytes() == keys[:, :, :9].tobytes()
    assert cache["past_value"][:, :, :9].tobytes() == values[:, :, :9].tobytes()


@pytest.mark.parametrize(
    "case",
    [
        *(Product("gated_gelu", kind, shape=(210,), n=130, zero=128) for kind in ROUNDINGS),
        Product("skip_sum", "row", shape=(3, 70), zero=24, bias="left"),
        Grouped(positions=150, past=(40,), capacity=190, rotary=32),
        Grouped(positions=150, past=(40,), capacity=190, int8=True, bias=True, window=50),
        MultiHead(positions=150, keys=70, lengths=(70, 9)),
    ],
    ids=str,
)
def test_threads_make_no_difference(devices: list[Any], case: Any) -> None:
    built = case.build()
    first, *others = [
        run(session(built.model, devices, threads=threads), built.feeds) for threads in (1, 2, 3, 8)
    ]
    for other in others:
        assert [part.tobytes() for part in other] == [part.tobytes() for part in first]


@pytest.mark.parametrize("rounding", ROUNDINGS)
@pytest.mark.parametrize("threads", [1, 3])
def test_a_row_is_alone_what_it_is_among_others(
    devices: list[Any], rounding: str, threads: int
) -> None:
    built = Product("layer_sum", rounding, shape=(200,), zero=128).build()
    made = session(built.model, devices, threads=threads)
    (whole,) = run(made, built.feeds)
    for rows in (slice(0, 1), slice(70, 75), slice(130, 200)):
        (some,) = run(made, {name: array[rows] for name, array in built.feeds.items()})
        assert some.tobytes() == whole[rows].tobytes()


def test_products_that_share_a_norm(devices: list[Any]) -> None:
    """The first has it in its group and gives the others what it makes."""
    graph, random = Graph(), Random(0)
    x = graph.input("x", F32, ["rows", 64])
    normed = graph.add("RMSNormalization", x, graph.constant(random.normal(64)), axis=-1)
    shape = {"K": 64, "N": 40, "bits": 8, "block_size": 32, "accuracy_level": 4}
    for _ in range(3):
        weights = graph.constant(random.bytes(40, 2, 32))
        inputs = (normed, weights, graph.constant(random.scales(40, 2)))
        graph.output(graph.add("MatMulNBits", *inputs, domain=MICROSOFT, **shape))
    feeds = {"x": random.normal(7, 64)}
    made = session(graph.model(), devices)
    assert claimed(made) == [["MatMulNBits"], ["MatMulNBits"], ["MatMulNBits", "RMSNormalization"]]
    for mine, other in zip(run(made, feeds), run(session(graph.model(), []), feeds), strict=True):
        assert_near(mine, other)


@pytest.mark.parametrize("shape", [(0,), (2, 0), (0, 3)])
@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_no_rows(devices: list[Any], rounding: str, shape: tuple[int, ...]) -> None:
    zero = 128 if rounding == "row_magnitude" else 24
    built = Product("layer_bias", rounding, shape=shape, zero=zero).build()
    (y,) = run(session(built.model, devices), built.feeds)
    assert y.shape == (*shape, 48)
