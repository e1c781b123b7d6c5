"""Cross-encoders of three generations, and of other modules: the library's scores."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from torch import nn

from tests.test_sentence_bundles import packed, parts
from tests.tiny import edit_config
from tests.tiny_encoders import save_encoder

library = pytest.importorskip("sentence_transformers")

PAIRS = [("the fox", "a dog"), ("to it", "the cat sees it"), ("x", "it runs on")]
IDENTITY, SIGMOID = "torch.nn.modules.linear.Identity", "torch.nn.modules.activation.Sigmoid"
GENERATIONS: dict[str, dict[str, Any]] = {  # what config.json says in older folders
    "3": {"sbert_ce_default_activation_function": IDENTITY},
    "3, sigmoid": {"sbert_ce_default_activation_function": SIGMOID},
    "4 and 5": {"sentence_transformers": {"activation_fn": IDENTITY, "version": "5.0.0"}},
    "4 and 5, sigmoid": {"sentence_transformers": {"activation_fn": SIGMOID}},
}


def scores_of(model: Any, pairs: list[tuple[str, str]], **options: Any) -> np.ndarray:
    return np.array([list(one.scores.values()) for one in model.classify(pairs, **options)])


def assert_same(model: Any, theirs: Any, **options: Any) -> None:
    expected = theirs.predict(PAIRS).reshape(len(PAIRS), -1)
    np.testing.assert_allclose(scores_of(model, PAIRS), expected, atol=2e-5)


def save_cross(folder: Path, labels: int, **options: Any) -> Any:
    save_encoder(folder / "bare", "bert", "classify", num_hidden_layers=1, num_labels=labels)
    made = library.CrossEncoder(str(folder / "bare"), device="cpu", **options)
    made.save(str(folder / "made"))
    return library.CrossEncoder(str(folder / "made"), device="cpu")


@pytest.mark.parametrize("labels", [1, 3])
@pytest.mark.parametrize("act", [None, nn.Identity(), nn.Sigmoid(), nn.Softmax()])
def test_activations(labels: int, act: Any, tmp_path: Path) -> None:
    theirs = save_cross(tmp_path, labels, activation_fn=act)
    assert_same(packed(tmp_path), theirs)


@pytest.mark.parametrize("labels", [1, 3])
@pytest.mark.parametrize("name", GENERATIONS)
def test_older_folders(name: str, labels: int, tmp_path: Path) -> None:
    save_encoder(tmp_path / "made", "bert", "classify", num_hidden_layers=1, num_labels=labels)
    edit_config(tmp_path / "made", **GENERATIONS[name])
    theirs = library.CrossEncoder(str(tmp_path / "made"), device="cpu")
    assert_same(packed(tmp_path), theirs)


@pytest.mark.parametrize("problem", [None, "regression"])
def test_one_label_as_the_pipeline_reads_it(problem: str | None, tmp_path: Path) -> None:
    save_encoder(
        tmp_path / "made",
        "bert",
        "classify",
        num_hidden_layers=1,
        num_labels=1,
        problem_type=problem,
    )
    reader = transformers.pipeline("text-classification", str(tmp_path / "made"))
    found = packed(tmp_path).classify("the fox")
    assert found.score == pytest.approx(reader("the fox")[0]["score"], abs=2e-5)


def test_scores_by_a_dense_layer(tmp_path: Path) -> None:
    torch.manual_seed(0)
    save_encoder(tmp_path / "bare", "bert", num_hidden_layers=1)
    options = {"activation_function": nn.Identity(), "module_output_name": "scores"}
    chain = [parts.Transformer(str(tmp_path / "bare")), parts.Pooling(64, "cls")]
    chain += [parts.Dense(64, 32, activation_function=nn.GELU()), parts.Dense(32, 2, **options)]
    made = library.CrossEncoder(modules=chain, device="cpu")
    made.save(str(tmp_path / "made"))
    assert_same(packed(tmp_path), library.CrossEncoder(str(tmp_path / "made"), device="cpu"))
