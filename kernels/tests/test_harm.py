"""Files and callers that mean harm: one clean error, never a crash, and the session goes on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from cases import F32, ROUNDINGS, Grouped, MultiHead, Product, Random
from graphs import MICROSOFT, Graph, claimed, run, session
from onnxruntime.capi.onnxruntime_pybind11_state import Fail
from table import Array
from test_left import product


@pytest.mark.parametrize(
    "shape",
    [
        {"K": 2**62, "N": 4, "block_size": 16},
        {"K": 64, "N": 2**62, "block_size": 16},
        {"K": 2**33, "N": 2**31, "block_size": 32},
        {"K": 2**31, "N": 2**31, "block_size": 32},
        {"K": -64, "N": 40, "block_size": 32},
        {"K": 64, "N": 0, "block_size": 32},
        {"K": 64, "N": 40, "block_size": 0},
        {"K": 64, "N": 40, "block_size": -32},
        {"K": 64, "N": 40, "block_size": 2**40},
        {"K": 64, "N": 40, "block_size": 16},
        {"K": 96, "N": 40, "block_size": 32},
        {"K": 64, "N": 41, "block_size": 32},
    ],
    ids=str,
)
@pytest.mark.parametrize("bits", [8, 4])
@pytest.mark.parametrize("count", [0, 40])
def test_sizes_that_are_not_those_of_the_weights(
    devices: list[Any], shape: dict[str, int], bits: int, count: int
) -> None:
    """Products of the numbers are no sizes either where they leave 64 bits."""

    def change(graph: Graph, random: Random, x: str) -> str:
        weights = graph.constant(random.bytes(count, 2, 32 * bits // 8))
        inputs = (x, weights, graph.constant(random.scales(count, 2)))
        attributes = {"bits": bits, "accuracy_level": 4, **shape}
        # No result of ours depends on it: whatever comes, comes from ONNX Runtime.
        return str(graph.add("MatMulNBits", *inputs, domain=MICROSOFT, **attributes))

    model, _ = product(change)
    try:
        made = session(model, devices)
    except Exception as error:
        assert "satchel" not in str(error)
    else:
        assert claimed(made) == []


def refused(devices: list[Any], case: Any, said: str, **inputs: Array) -> None:
    """One clean error, and the session goes on."""
    good, bad = case.build(), replace(case, inputs=inputs).build()
    made = session(good.model, devices)
    with pytest.raises(Fail) as caught:
        run(made, bad.feeds)
    assert f"satchel: {said}" in str(caught.value) and "\n" not in str(caught.value).strip()
    run(made, good.feeds)


def floats(*shape: int) -> Array:
    return np.zeros(shape, F32)


def ints(*values: int) -> Array:
    return np.array(values, np.int32)


LEAST, MOST = -(2**31), 2**31 - 1


@pytest.mark.parametrize(
    ("said", "inputs"),
    [
        ("a past of shape [3,", {"past_key": (3, 2, 12, 32)}),
        ("a past of shape [1,", {"past_key": (1, 2, 12, 32)}),
        ("a past of shape [2, 1,", {"past_key": (2, 1, 12, 32)}),
        ("a past of shape [0,", {"past_key": (0, 2, 12, 32)}),
        ("rows of 127 numbers", {"query": (2, 3, 127)}),
        ("rows of 0 numbers", {"query": (2, 3, 0)}),
        ("key and value", {"query": (2, 2, 128)}),
        ("key and value", {"key": (2, 3, 32)}),
        ("key and value", {"key": (1, 3, 64)}),
        ("key and value", {"value": (2, 9, 64)}),
        ("head_sink", {"sinks": (3,)}),
        ("head_sink", {"sinks": (0,)}),
        ("", {"bias": (3, 4, 3, 12)}),
        ("", {"bias": (2, 3, 3, 12)}),
        ("", {"bias": (2, 4, 3, 7)}),
        ("", {"bias": (2, 4, 1, 12)}),
        ("position", {"cos": (7, 16)}),
        ("position", {"sin": (7, 16)}),
        ("position", {"cos": (0, 16)}),
        ("position", {"cos": (15, 17)}),
        ("position", {"sin": (15, 8)}),
        ("position", {"sin": (15, 0)}),
    ],
    ids=str,
)
def test_shapes_that_do_not_fit_a_cache(
    devices: list[Any], said: str, inputs: dict[str, tuple[int, ...]]
) -> None:
    case = Grouped(positions=3, rotary=32, bias=True, sinks=True)
    if "past_key" in inputs:
        inputs = dict(inputs, past_value=inputs["past_key"])
    said = f"GroupQueryAttention: {said}" if said else "attention_bias does not fit"
    refused(devices, case, said, **{name: floats(*shape) for name, shape in inputs.items()})


@pytest.mark.parametrize("int8", [False, True])
@pytest.mark.parametrize(
    "lengths",
    [(-1, 2), (2, -1), (LEAST, 2), (12, 2), (MOST, 2), (2,), (2, 2, 2), ()],
    ids=str,
)
@pytest.mark.parametrize("positions", [1, 3])
def test_lengths_that_do_not_fit_a_cache(
    devices: list[Any], lengths: tuple[int, ...], int8: bool, positions: int
) -> None:
    case = Grouped(positions=positions, int8=int8)
    refused(devices, case, "GroupQueryAttention: ", lengths=ints(*lengths))


@pytest.mark.parametrize(
    ("said", "total"),
    [("seqlens_k", ()), ("seqlens_k", (8, 8)), ("a total of", (14,)), ("a total of", (MOST,))],
)
def test_totals_that_do_not_fit(devices: list[Any], said: str, total: tuple[int, ...]) -> None:
    refused(devices, Grouped(), f"GroupQueryAttention: {said}", total=ints(*total))


@pytest.mark.parametrize("total", [LEAST, 0, 1, 5, 12, 13])
def test_totals_that_are_not_the_longest(devices: list[Any], total: int) -> None:
    """The lengths say where a text stands. The total alone makes a cache longer, if it is too short."""
    case = Grouped(positions=2)
    built = case.build()
    made = session(built.model, devices)
    answer, keys, _ = run(made, built.feeds)
    other = run(made, dict(built.feeds, total=ints(total)))
    assert other[0].tobytes() == answer.tobytes()
    assert other[1].shape[2] == max(12, total) and other[1][:, :, :12].tobytes() == keys.tobytes()


@pytest.mark.parametrize("count", [0, 63, 65, 128])
@pytest.mark.parametrize("name", ["key_scale", "value_scale"])
def test_scales_that_do_not_fit(devices: list[Any], name: str, count: int) -> None:
    case = Grouped(int8=True)
    refused(devices, case, "GroupQueryAttention: scales", **{name: floats(count)})


def test_keys_and_values_of_the_past_that_differ(devices: list[Any]) -> None:
    refused(
        devices,
        Grouped(),
        "GroupQueryAttention: past_key and past_value differ",
        past_value=floats(2, 2, 11, 32),
    )


@pytest.mark.parametrize(
    ("said", "inputs"),
    [
        ("keys and values", {"key": (2, 8, 128)}),
        ("keys and values", {"value": (1, 9, 128)}),
        ("keys and values", {"key": (3, 9, 128), "value": (3, 9, 128)}),
        ("attention_bias", {"bias": (3, 4, 5, 9)}),
        ("attention_bias", {"bias": (2, 2, 5, 9)}),
        ("attention_bias", {"bias": (2, 4, 4, 9)}),
        ("attention_bias", {"bias": (2, 4, 5, 8)}),
        ("attention_bias", {"bias": (0, 4, 5, 9)}),
    ],
    ids=str,
)
def test_shapes_that_do_not_fit_a_source(
    devices: list[Any], said: str, inputs: dict[str, tuple[int, ...]]
) -> None:
    case = MultiHead(keys=9, bias=(True, True))
    said = said if "bias" in said else f"MultiHeadAttention: {said}"
    refused(devices, case, said, **{name: floats(*shape) for name, shape in inputs.items()})


@pytest.mark.parametrize(
    "lengths",
    [(2,), (2, 2, 2), ()],
    ids=str,
)
@pytest.mark.parametrize("form", ["plain", "cache"])
def test_lengths_that_do_not_fit_a_source(
    devices: list[Any], lengths: tuple[int, ...], form: str
) -> None:
    case = MultiHead(keys=9, lengths=(3, 9), form=form)
    refused(devices, case, "MultiHeadAttention: ", lengths=ints(*lengths))


@pytest.mark.parametrize("lengths", [(LEAST, -1), (0, 10), (10, MOST)], ids=str)
@pytest.mark.parametrize("form", ["plain", "cache"])
def test_lengths_beyond_a_source(devices: list[Any], lengths: tuple[int, ...], form: str) -> None:
    """All keys are seen then, and no others."""
    built = MultiHead(keys=9, lengths=lengths, form=form).build()
    whole = MultiHead(keys=9, lengths=(9, 9), form=form).build()
    answer, other = (run(session(one.model, devices), one.feeds)[0] for one in (built, whole))
    np.testing.assert_array_equal(answer, other)


def test_a_source_of_nothing(devices: list[Any]) -> None:
    refused(
        devices,
        MultiHead(keys=9),
        "MultiHeadAttention: there are no keys",
        key=floats(2, 0, 128),
        value=floats(2, 0, 128),
    )


def test_sums_of_two_shapes(devices: list[Any]) -> None:
    """Where the file does not say that they are alike, the caller has to keep to it."""
    built = Product("layer_sum").build()
    made = session(built.model, devices)
    for shape in ((1, 3, 64), (2, 1, 64)):
        with pytest.raises(Fail, match="satchel: the two parts of a sum differ in shape"):
            run(made, dict(built.feeds, skip=floats(*shape)))
    run(made, built.feeds)


@pytest.mark.parametrize("rounding", ROUNDINGS)
def test_rows_of_another_width(devices: list[Any], rounding: str) -> None:
    """Of a value whose width the file does not say."""
    built = Product("", rounding, zero=128, width_known=False).build()
    made = session(built.model, devices)
    assert claimed(made) == [built.group]
    for width in (0, 63, 65):
        with pytest.raises(Fail, match="satchel: a product of 64 inputs does not fit"):
            run(made, {"x": floats(2, 3, width)})
    run(made, built.feeds)
