"""Lowered layers compute what their scheme says, row by row."""

from __future__ import annotations

from collections import Counter
from typing import Any

import numpy as np
import onnx_ir as ir
import onnxruntime
import pytest
import torch

from satchel.models import layers, ops
from satchel.quantize.calibrate import Moments, Statistics, watched
from satchel.quantize.lower import lower
from satchel.quantize.profile import named
from satchel.quantize.schemes import channels
from satchel.runtime.session import adds_in_16_bits

INPUTS, HIDDEN, BATCH, LENGTH = 48, 64, 3, 7


class Sandwich(torch.nn.Module):
    """Norm, linear, activation, linear: with the activation `act`."""

    def __init__(self, act: str, outputs: int = HIDDEN) -> None:
        super().__init__()
        self.norm = layers.LayerNorm(INPUTS, 1e-5)
        self.up_proj = layers.Linear(INPUTS, HIDDEN)
        self.down_proj = layers.Linear(HIDDEN, outputs)
        self.act = act

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        y: torch.Tensor = self.down_proj(ops.activation(self.act, self.up_proj(self.norm(x))))
        return y


def made(act: str, outputs: int = HIDDEN) -> tuple[Sandwich, torch.Tensor]:
    torch.manual_seed(0)
    model = Sandwich(act, outputs).eval()
    torch.nn.init.normal_(model.norm.weight, 1, 0.3)
    model.norm.weight.data[5] = 30  # a channel that goes further than the others
    return model, torch.randn(BATCH, LENGTH, INPUTS)


class Stack(torch.nn.Module):
    """Two norms whose gains are equal, as after a rotation, with linear layers that are not."""

    def __init__(self) -> None:
        super().__init__()
        self.norms = torch.nn.ModuleList(layers.RMSNorm(INPUTS, 1e-5) for _ in range(2))
        self.linears = torch.nn.ModuleList(layers.Linear(INPUTS, INPUTS) for _ in range(2))

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        for norm, linear in zip(self.norms, self.linears, strict=True):
            x = linear(norm(x))
        return x


def exported(model: torch.nn.Module, x: torch.Tensor) -> torch.onnx.ONNXProgram:
    shapes = ({0: torch.export.Dim.DYNAMIC, 1: torch.export.Dim.DYNAMIC},)
    program = torch.onnx.export(
        model, (x,), dynamo=True, opset_version=ops.OPSET, dynamic_shapes=shapes, verbose=False
    )
    assert program is not None
    return program


def lowered(
    model: torch.nn.Module, x: torch.Tensor, statistics: Statistics | None
) -> tuple[Any, Counter[str]]:
    program = exported(model, x)
    lower(program.model, named("int8"), "encoder", statistics)
    graph = ir.to_proto(program.model).SerializeToString()
    kinds = Counter(node.op_type for node in program.model.graph)
    options = onnxruntime.SessionOptions()
    if adds_in_16_bits():  # as the runtime does
        options.add_session_config_entry("session.x64quantprecision", "1")
    session = onnxruntime.InferenceSession(graph, options, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    return (lambda array: session.run(None, {name: array})[0]), kinds


def calibrated(model: torch.nn.Module, x: torch.Tensor) -> Statistics:
    with watched(model) as statistics, torch.inference_mode():
        model(x[:2])
        model(x[2:])
    return statistics


def error(run: Any, model: torch.nn.Module, x: torch.Tensor) -> float:
    with torch.inference_mode():
        expected = model(x).numpy()
    return float(np.abs(run(x.numpy()) - expected).max() / np.abs(expected).max())


@pytest.mark.parametrize("act", ["gelu", "silu", "quick_gelu", "relu", "tanh"])
@pytest.mark.parametrize("known", [True, False])
def test_int8_layers_stay_close(act: str, known: bool) -> None:
    model, x = made(act)
    run, kinds = lowered(model, x, calibrated(model, x) if known else None)
    assert kinds["MatMulIntegerToFloat"] == 2 and kinds["Linear"] == 0
    assert kinds["ReduceMax"] == (1 if known else 2)  # the norm's output has a fixed scale
    assert error(run, model, x) < (0.015 if known else 0.03)


def test_each_product_names_a_zero_point_of_its_own() -> None:
    """On x86 without VNNI: 1.29 ends the process where one is missing, 1.31 refuses a shared one."""
    model, x = made("gelu")
    program = exported(model, x)
    lower(program.model, named("int8"), "encoder", calibrated(model, x))
    zeros = [
        node.inputs[5] for node in program.model.graph if node.op_type == "MatMulIntegerToFloat"
    ]
    names = {zero.name for zero in zeros if zero is not None}
    assert len(names) == len(zeros) == 2


def test_smoothing_helps_where_one_channel_goes_far() -> None:
    model, x = made("gelu")
    smoothed, plain = lowered(model, x, calibrated(model, x))[0], lowered(model, x, None)[0]
    assert error(smoothed, model, x) < 0.6 * error(plain, model, x)


def test_smoothing_goes_into_the_gain_of_each_norm() -> None:
    torch.manual_seed(0)
    model: Any = Stack().eval()
    x = torch.randn(BATCH, LENGTH, INPUTS)
    model.linears[0].weight.data[:, 3] *= 20  # each layer wants factors of its own
    model.linears[1].weight.data[:, 9] *= 20
    run, kinds = lowered(model, x, calibrated(model, x))
    assert kinds["MatMulIntegerToFloat"] == 2 and kinds["Mul"] == 0
    assert error(run, model, x) < 0.06


def test_a_token_depends_on_itself_alone() -> None:
    model, x = made("gelu")
    run, _ = lowered(model, x, calibrated(model, x))
    together = run(x.numpy())
    louder = x.clone()
    louder[0, 0] *= 100
    np.testing.assert_array_equal(together[1:], run(louder.numpy())[1:])
    for row in range(BATCH):
        for token in range(LENGTH):
            alone = run(x[row : row + 1, token : token + 1].numpy())
            np.testing.assert_array_equal(alone[0, 0], together[row, token])


def test_a_token_of_zeros_gives_the_bias() -> None:
    model, _ = made("relu")
    torch.nn.init.constant_(model.up_proj.bias, -1)
    torch.nn.init.zeros_(model.norm.bias)
    zeros = torch.zeros(BATCH, LENGTH, INPUTS)
    run, _ = lowered(model, zeros, None)
    assert np.array_equal(run(zeros.numpy())[0, 0], model.down_proj.bias.detach().numpy())


def test_a_head_of_few_labels_stays_float32() -> None:
    model, x = made("gelu", outputs=3)
    _, kinds = lowered(model, x, None)
    assert kinds["MatMulIntegerToFloat"] == 1 and kinds["FusedMatMul"] == 1


def test_ranges_cover_all_that_was_read() -> None:
    model, x = made("gelu")
    statistics = calibrated(model, x)
    with torch.inference_mode():
        seen = model.norm(x).flatten(0, 1)
    low, high = statistics.ranges["up_proj"]
    np.testing.assert_array_equal(low, seen.amin(0).numpy())
    np.testing.assert_array_equal(high, seen.amax(0).numpy())
    assert not model.up_proj._forward_pre_hooks  # nothing stays behind


def test_moments_are_read_for_layers_that_want_them() -> None:
    model, x = made("relu")
    readings = []

    def read() -> None:
        readings.append(0)
        with torch.inference_mode():
            model(x)

    few = Moments(model, read, 1 << 20, wanted=lambda name: name == "down_proj")
    assert few("up_proj") is not None and set(few.held) == {"down_proj"}
    moment = few("down_proj")
    assert moment is not None and len(readings) == 1
    inputs = torch.relu(model.up_proj(model.norm(x))).flatten(0, -2).detach()
    np.testing.assert_allclose(moment, inputs.T @ inputs / len(inputs), rtol=1e-4, atol=1e-5)
    assert few("down_proj") is not None and len(readings) == 2  # it was given away
    none = Moments(model, read, 1 << 20, wanted=lambda name: False)
    assert none("up_proj") is not None and not none.held  # what is asked for is wanted
    small = Moments(model, read, 1)
    assert small("up_proj") is not None and not small.held
    assert small("norm") is None


def test_channels_round_to_the_nearest_step() -> None:
    weight = np.random.default_rng(0).normal(size=(5, 9)).astype(np.float32)
    weight[2] = 0
    quantized = channels.quantize(weight)
    restored = (quantized.values * quantized.scales).T
    assert (np.abs(restored - weight) <= quantized.scales[:, None] * 0.5001).all()
    assert not restored[2].any()


def test_smoothing_is_exact_before_rounding() -> None:
    random = np.random.default_rng(0)
    weight, x = random.normal(size=(5, 9)), random.normal(size=(4, 9))
    factors = channels.smoothing(weight.astype(np.float32), np.abs(x).max(0).astype(np.float32))
    np.testing.assert_allclose((x / factors) @ (weight * factors).T, x @ weight.T)
