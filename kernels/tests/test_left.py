"""What the provider leaves to ONNX Runtime, or does not."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from cases import F32, Grouped, MultiHead, Product, Random, assert_near, stock
from graphs import MICROSOFT, Graph, claimed, run, session
from table import Array, Kernels

Make = Callable[[Graph, Random, str], str]


def product(make: Make, k: int = 64) -> tuple[bytes, Array]:
    """A model of what is made of rows of k numbers, and rows."""
    graph, random = Graph(), Random(0)
    x = graph.input("x", F32, ["rows", k])
    graph.output(make(graph, random, x))
    return graph.model(), random.normal(3, k)


def blocks(zeros: bool = False, bias: bool = False, level: int = 4, k: int = 64) -> Make:
    def make(graph: Graph, random: Random, x: str) -> str:
        count, bits = -(-k // 32), 4 if zeros else 8
        inputs: list[str | None] = [x, graph.constant(random.bytes(40, count, 4 * bits))]
        inputs.append(graph.constant(random.scales(40, count)))
        inputs.append(graph.constant(random.normal(40, count)) if zeros else None)
        inputs += [None, graph.constant(random.normal(40)) if bias else None]
        shape = {"K": k, "N": 40, "bits": bits, "block_size": 32, "accuracy_level": level}
        return str(graph.add("MatMulNBits", *inputs, domain=MICROSOFT, **shape))

    return make


def channels(
    zeros: int | None = None, dtype: Any = np.int8, scale: float = 0.03, least: int = -127
) -> Make:
    def make(graph: Graph, random: Random, x: str) -> str:
        zero, step = graph.constant(120, np.uint8), graph.constant(0.03)
        x = graph.add("QuantizeLinear", x, step, zero)
        weights = graph.constant(random.signed(64, 40, least=least).view(dtype))
        scales = (graph.constant(scale), graph.constant(random.scales(40)))
        of_weights = None if zeros is None else graph.constant(np.full(40, zeros, dtype))
        inputs = (x, weights, *scales, zero, of_weights)
        return str(graph.add("MatMulIntegerToFloat", *inputs, domain=MICROSOFT))

    return make


def row_scale_and_bias(graph: Graph, random: Random, x: str) -> str:
    """ONNX Runtime's kernel multiplies the bias with the row's scale, too."""
    largest = graph.add("ReduceMax", graph.add("Abs", x), graph.constant([-1], np.int64))
    scale = graph.add("Mul", largest, graph.constant(1 / 127))
    scale = graph.add("Max", scale, graph.constant(1e-3))
    zero = graph.constant(128, np.uint8)
    divided = graph.add("Div", x, scale)
    rounded = graph.add("QuantizeLinear", divided, graph.constant(1.0), zero)
    weights = graph.constant(random.signed(64, 40, least=-127))
    inputs = (rounded, weights, scale, graph.constant(random.scales(40)), zero, None)
    bias = graph.constant(random.normal(40))
    return str(graph.add("MatMulIntegerToFloat", *inputs, bias, domain=MICROSOFT))


LEFT: dict[str, Make] = {
    "zero points of blocks that are floats": blocks(zeros=True),
    "a bias in MatMulNBits": blocks(bias=True),
    "float arithmetic": blocks(level=0),
    "zero points of channels": channels(zeros=3),
    "unsigned weights": channels(zeros=128, dtype=np.uint8),
    "another scale behind than before": channels(scale=0.02),
    "a bias and a scale for each row": row_scale_and_bias,
}


@pytest.mark.parametrize("make", LEFT.values(), ids=LEFT)
def test_products_that_are_left(devices: list[Any], make: Make) -> None:
    model, x = product(make)
    made = session(model, devices)
    assert claimed(made) == []
    np.testing.assert_array_equal(run(made, {"x": x})[0], run(session(model, []), {"x": x})[0])


def test_blocks_that_are_not_full(devices: list[Any]) -> None:
    """Of 8 bits they are left; of 4 they are taken."""
    model, _ = product(blocks(k=50), k=50)
    assert claimed(session(model, devices)) == []
    Product("", "blocks4", k=50).check(devices)


@pytest.mark.parametrize("zeros", [None, 0])
def test_zero_points_of_zero(devices: list[Any], zeros: int | None) -> None:
    model, x = product(channels(zeros=zeros))
    made = session(model, devices)
    assert claimed(made) == [["MatMulIntegerToFloat", "QuantizeLinear"]]
    assert_near(run(made, {"x": x})[0], run(session(model, []), {"x": x})[0])


def test_weights_of_the_lowest_number(devices: list[Any], levels: list[Kernels]) -> None:
    """They are left where a level does not multiply them right."""
    model, x = product(channels(least=-128))
    other = run(session(model, []), {"x": x})[0]
    for kernels in levels:
        made = session(model, devices, level=kernels.name())
        assert bool(claimed(made)) == kernels.any_weights
        assert_near(run(made, {"x": x})[0], other)


@pytest.mark.parametrize(
    "attributes",
    [
        {"smooth_softmax": 1},
        {"local_window_size": 0},  # of which ONNX Runtime's kernel makes zeros
        {"num_heads": 2**58 + 4, "kv_num_heads": 1},
        {"num_heads": 3, "kv_num_heads": 2},
        {"num_heads": 0},
        {"num_heads": -4},
        {"kv_num_heads": 0},
    ],
    ids=str,
)
def test_attention_that_is_left(devices: list[Any], attributes: dict[str, Any]) -> None:
    case = Grouped(kv_heads=1)

    class Changed(Grouped):
        def attributes(self) -> dict[str, Any]:
            return super().attributes() | attributes

    built = Changed(**vars(case)).build()
    try:
        made = session(built.model, devices)
    except Exception as error:  # ONNX Runtime's own
        assert "satchel" not in str(error)
        return
    assert claimed(made) == []


def test_causal_attention_to_keys_that_may_be_more(devices: list[Any]) -> None:
    for keys in (0, 9):
        built = MultiHead(keys=keys, causal=True).build()
        made = session(built.model, devices)
        assert claimed(made) == []
        np.testing.assert_array_equal(run(made, built.feeds)[0], stock(built)[0])


def test_heads_of_values_that_have_another_size(devices: list[Any]) -> None:
    case = MultiHead(keys=9)
    case.inputs["value"] = Random(0).normal(2, 9, 4 * 8)
    built = case.build()
    made = session(built.model, devices)
    assert claimed(made) == []
    np.testing.assert_array_equal(run(made, built.feeds)[0], stock(built)[0])
