"""What the rounding of one layer costs: how answers are compared, and which layers are measured."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn import functional as F

from satchel.checkpoints.source import open_source
from satchel.measure import fidelity
from satchel.models.layers import Linear
from satchel.packing.encoder_recipe import EncoderRecipe
from satchel.packing.recipe import ExportOptions
from satchel.packing.speech_recipe import SpeechRecipe
from satchel.progress import quiet
from satchel.quantize import improve
from satchel.quantize.calibrate import Statistics
from satchel.quantize.prepare import Prepared
from satchel.quantize.profile import named
from satchel.quantize.schemes import CHANNEL8, FP32
from satchel.quantize.tune import costs
from tests.tiny_encoders import save_encoder
from tests.tiny_speech import save_speech

RANDOM = np.random.default_rng(0)
EXPECTED = RANDOM.normal(0, 3, (5, 7)).astype(np.float32)
FOUND = (EXPECTED + RANDOM.normal(0, 0.1, EXPECTED.shape)).astype(np.float32)
A, B = torch.from_numpy(EXPECTED).double(), torch.from_numpy(FOUND).double()


def _bernoulli() -> torch.Tensor:
    yes, no = F.logsigmoid(A) - F.logsigmoid(B), F.logsigmoid(-A) - F.logsigmoid(-B)
    return (A.sigmoid() * yes + (1 - A.sigmoid()) * no).mean()


RIGHT = {
    None: (1 - F.cosine_similarity(A, B)).mean(),
    "softmax": F.kl_div(
        B.log_softmax(-1), A.log_softmax(-1), log_target=True, reduction="batchmean"
    ),
    "sigmoid": _bernoulli(),
    "identity": F.mse_loss(A, B) / 2,
}


@pytest.mark.parametrize("scores", RIGHT)
def test_the_loss_of_an_answer(scores: str | None) -> None:
    assert fidelity.loss(EXPECTED, FOUND, scores) == pytest.approx(float(RIGHT[scores]), rel=1e-9)
    assert fidelity.loss(EXPECTED, EXPECTED, scores) == pytest.approx(0, abs=1e-15)


def test_a_loss_below_what_float32_tells_from_1() -> None:
    near = EXPECTED * (1 + 1e-5 * RANDOM.normal(0, 1, EXPECTED.shape)).astype(np.float32)
    assert 1e-12 < fidelity.loss(EXPECTED, near, None) < 1e-9


CHANGES: dict[str, tuple[str, dict[str, Any], bool]] = {
    # task, what config.json says, and whether the answer is another once 5 is added to all its logits
    "one label of several": ("classify", {"num_labels": 3}, False),
    "several labels": (
        "classify",
        {"num_labels": 3, "problem_type": "multi_label_classification"},
        True,
    ),
    "a number": ("classify", {"num_labels": 1, "problem_type": "regression"}, True),
    "tokens": ("tokens", {"num_labels": 3}, False),
    "places": ("answer", {}, False),
    "a mask": ("fill-mask", {}, False),
}


@pytest.mark.parametrize("case", CHANGES)
def test_labels_are_compared_as_they_are_read(case: str, tmp_path: Path) -> None:
    task, config, changes = CHANGES[case]
    save_encoder(tmp_path / "checkpoint", "bert", task, **config)
    source = open_source(str(tmp_path / "checkpoint"), None)
    recipe = EncoderRecipe.of(source, ExportOptions(), quiet)
    before = recipe.answer()
    assert recipe.loss(before, before) == pytest.approx(0, abs=1e-12)
    assert (recipe.loss(before, before + 5) > 1e-3) == changes
    assert recipe.loss(before, 0.5 * before) > 1e-6


def test_a_head_of_few_labels_costs_nothing() -> None:
    model = torch.nn.ModuleDict({"wide": Linear(16, 64), "head": Linear(64, 3)})
    schemes = {"wide": CHANNEL8, "head": CHANNEL8}
    found = costs(model, schemes, named("int8"), Statistics(), lambda: 1.0)
    assert set(found) == {"wide"}  # the other one stays float32


def test_inputs_without_calibration_have_steps_of_each_token() -> None:
    torch.manual_seed(0)
    layer = Linear(16, 64)
    x = torch.randn(4, 16) * torch.tensor([1e-3, 1.0, 10.0, 1e3])[:, None]
    with torch.no_grad():
        right = layer(x)

    def loss() -> float:
        with torch.no_grad():
            return float(((layer(x) - right).norm(dim=1) / right.norm(dim=1)).max())

    model = torch.nn.ModuleDict({"layer": layer})
    (cost,) = costs(model, {"layer": CHANNEL8}, named("int8"), Statistics(), loss).values()
    assert 1e-3 < cost < 0.03 and loss() == 0


def test_layers_of_a_model_that_hears_are_measured(tmp_path: Path) -> None:
    save_speech(tmp_path / "checkpoint")
    source = open_source(str(tmp_path / "checkpoint"), None)
    recipe = SpeechRecipe.of(source, ExportOptions(), quiet)
    chosen = named("int8").among(recipe.graphs)
    nothing = {"encoder": Statistics(), "decoder": Statistics()}  # it is not calibrated
    found = list(improve.better(recipe, Prepared(chosen, [], nothing), quiet))
    kinds = Linear, nn.Conv1d
    count = sum(isinstance(part, kinds) for part in recipe.reference.modules())
    assert [round(share * count) for _, share, _ in found] == [1, 2, 4, 8, 16, count]
    assert [len(profile.layers) for profile, _, _ in found] == [1, 2, 4, 8, 16, count]
    assert set(found[0][0].layers.values()) == {FP32}
