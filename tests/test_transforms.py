"""What is done to a reference model before it is traced leaves it the same model."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn

from satchel import models
from satchel.checkpoints.folder import load_folder
from satchel.models.layers import MLP, Attention
from satchel.models.seq2seq import Context
from satchel.quantize import rotate, smooth
from satchel.quantize.calibrate import watched
from tests.test_architectures import CASES, some_ids
from tests.tiny import save_checkpoint
from tests.tiny_seq2seq import save_seq2seq

TURNED = {
    *("llama", "mistral", "qwen2", "qwen3", "smollm3", "phi3", "gemma", "granite", "ministral"),
    *(
        "ministral3",
        "mistral3",
        "hunyuan_v1_dense",
        "ernie4_5",
        "arcee",
        "apertus",
        "helium",
        "glm",
    ),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[str, Any]]:
    model_type, overrides = CASES[request.param]
    save_checkpoint(tmp_path, model_type, **overrides)
    yield model_type, models.build(load_folder(tmp_path), 64)[0]


def logits(model: Any) -> torch.Tensor:
    with torch.inference_mode():
        found: torch.Tensor = model(torch.tensor([some_ids(40)]))
    return found


def test_decoders_stay_the_same(case: tuple[str, Any]) -> None:
    model_type, model = case
    before = logits(model)
    weights = {name: weight.clone() for name, weight in model.named_parameters()}
    changes = rotate.rotate(model)
    assert changes == (["stream"] if model_type in TURNED else []) + ["values"]
    with watched(model) as statistics:
        logits(model)
    smooth.smooth(model, statistics)
    torch.testing.assert_close(logits(model), before, atol=1e-3, rtol=1e-5)
    attention = next(name for name, part in model.named_modules() if isinstance(part, Attention))
    changed = f"{attention}.o_proj.weight"
    assert not torch.equal(model.get_parameter(changed), weights[changed])


@pytest.mark.parametrize(
    "model_type, overrides, turned",
    [
        ("t5", {}, False),  # its head is tied
        ("t5", {"feed_forward_proj": "gated-gelu", "own_head": True}, True),
        ("bart", {}, False),
        ("pegasus", {}, False),
        ("encoder-decoder", {}, False),
    ],
)
def test_encoder_decoders_stay_the_same(
    model_type: str, overrides: dict[str, Any], turned: bool, tmp_path: Path
) -> None:
    save_seq2seq(tmp_path, model_type, **overrides)
    model = models.build_seq2seq(load_folder(tmp_path))[0]

    def answer() -> torch.Tensor:
        sources, lengths = torch.tensor([some_ids(30)]), torch.tensor([30], dtype=torch.int32)
        with torch.inference_mode():
            context = Context(lengths=lengths, cross=model.read(sources, lengths))
            found: torch.Tensor = model(torch.tensor([some_ids(20, 1)]), context)
        return found

    before = answer()
    assert ("stream" in rotate.rotate(model)) == turned == (rotate.obstacle(model) is None)
    with watched(model) as statistics:
        answer()
    smooth.smooth(model, statistics)
    torch.testing.assert_close(answer(), before, atol=1e-3, rtol=1e-5)


@pytest.mark.parametrize("act", ["relu", "relu2"])
def test_a_channel_that_calibration_missed_is_not_blown_up(act: str) -> None:
    """Its factor would be the least number there is, and the first text that uses it would break."""
    mlp = MLP(8, 16, act)
    model = nn.Sequential()
    model.add_module("mlp", mlp)
    with torch.no_grad():
        mlp.up_proj.weight[3] = 0  # silent, but for what it is given later
    before = mlp.up_proj.weight.detach().clone()
    with watched(model) as statistics, torch.inference_mode():
        model(torch.randn(64, 8, generator=torch.Generator().manual_seed(0)))
    with torch.no_grad():
        mlp.up_proj.weight[3] = before[3] = 1
    smooth.smooth(model, statistics)
    assert (mlp.up_proj.weight[3] / before[3]).max() < 4


def test_what_cannot_be_turned_is_named(case: tuple[str, Any]) -> None:
    model_type, model = case
    reason = rotate.obstacle(model)
    if model_type in TURNED:
        assert reason is None
    else:
        assert reason is not None


@pytest.mark.parametrize("size", [1, 9, 12, 64, 576])
def test_rotations_are_orthogonal_and_spread(size: int) -> None:
    turned = rotate.rotation(size)
    torch.testing.assert_close(turned @ turned.T, torch.eye(size, dtype=torch.float64))
    assert torch.equal(turned, rotate.rotation(size))  # the same on every call
    if size > 1:
        assert turned.abs().max() < 0.999
