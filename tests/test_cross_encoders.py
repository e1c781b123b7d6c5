"""Cross-encoders: scores, order and prompts as sentence-transformers has them on the same folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from torch import nn

import satchel
from tests.tiny import edit_config
from tests.tiny_encoders import save_encoder

library = pytest.importorskip("sentence_transformers")

QUERY = "the fox"
PASSAGES = ["it is on", "the fox runs", "to the dog and the cat", "the fox sees the fox"]
PAIRS = [(QUERY, passage) for passage in PASSAGES]


def exported(folder: Path, out: Path) -> Any:
    satchel.pack(folder, out, profile="fp32")
    return satchel.load(out)


def save_cross_encoder(folder: Path, labels: int, **options: Any) -> Any:
    """Write a cross-encoder's folder as sentence-transformers does; returns its own model of it."""
    save_encoder(folder / "bare", "bert", "classify", num_hidden_layers=1, num_labels=labels)
    made = library.CrossEncoder(str(folder / "bare"), device="cpu", **options)
    made.save(str(folder / "made"))
    return library.CrossEncoder(str(folder / "made"), device="cpu")


@pytest.mark.parametrize(
    ("labels", "activation"),
    [(1, None), (1, nn.Identity()), (1, nn.Sigmoid()), (3, None), (3, nn.Sigmoid())],
    ids=["one", "one-identity", "one-sigmoid", "three", "three-sigmoid"],
)
def test_scores(labels: int, activation: nn.Module | None, tmp_path: Path) -> None:
    theirs = save_cross_encoder(tmp_path, labels, activation_fn=activation)
    ours = exported(tmp_path / "made", tmp_path / "bundle")
    expected = theirs.predict(PAIRS).reshape(len(PAIRS), labels)
    found = [list(one.scores.values()) for one in ours.classify(PAIRS)]
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_rank(tmp_path: Path) -> None:
    theirs = save_cross_encoder(
        tmp_path, 1, prompts={"find": "it is: ", "other": "dog "}, default_prompt_name="find"
    )
    ours = exported(tmp_path / "made", tmp_path / "bundle")
    for name in (None, "find", "other"):
        expected = theirs.rank(QUERY, PASSAGES, prompt_name=name)
        found = ours.rank(QUERY, PASSAGES, prompt=name)
        assert [one.index for one in found] == [one["corpus_id"] for one in expected]
        assert [one.score for one in found] == pytest.approx(
            [one["score"] for one in expected], abs=1e-5
        )
    assert ours.rank(QUERY, PASSAGES) == ours.rank(QUERY, PASSAGES, prompt="find")
    assert ours.rank(QUERY, PASSAGES) != ours.rank(QUERY, PASSAGES, prompt="other")
    with pytest.raises(satchel.SatchelError, match="prompt 'no' is unknown"):
        ours.rank(QUERY, PASSAGES, prompt="no")


def test_saturated_scores_are_ordered_by_logits(tmp_path: Path) -> None:
    save_cross_encoder(tmp_path, 1)
    model = transformers.AutoModelForSequenceClassification.from_pretrained(tmp_path / "made")
    with torch.no_grad():
        model.classifier.bias += 60  # a sigmoid of 1, to the last bit
    model.save_pretrained(tmp_path / "made")
    ours = exported(tmp_path / "made", tmp_path / "bundle")
    found = ours.rank(QUERY, PASSAGES)
    assert {one.score for one in found} == {1.0}
    plain = tmp_path / "plain"
    (tmp_path / "made").rename(plain)
    edit_config(plain, sentence_transformers={"activation_fn": "torch.nn.modules.linear.Identity"})
    (plain / "config_sentence_transformers.json").unlink()
    by_logits = exported(plain, tmp_path / "logits").rank(QUERY, PASSAGES)
    assert [one.index for one in found] == [one.index for one in by_logits] != [0, 1, 2, 3]


def test_one_label_without_an_activation_is_a_probability(tmp_path: Path) -> None:
    """So say the pipeline and the cross-encoder of a folder that names none."""
    save_encoder(tmp_path / "made", "bert", "classify", num_hidden_layers=1, num_labels=1)
    ours = exported(tmp_path / "made", tmp_path / "bundle")
    reader = transformers.pipeline("text-classification", str(tmp_path / "made"))
    score = ours.classify("the fox").score
    assert score == pytest.approx(reader("the fox")[0]["score"], abs=1e-5)
    theirs = library.CrossEncoder(str(tmp_path / "made"), device="cpu")
    scores = [one.score for one in ours.classify(PAIRS)]
    np.testing.assert_allclose(scores, theirs.predict(PAIRS), atol=1e-5)
