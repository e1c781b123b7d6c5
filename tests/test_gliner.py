"""GLiNER: the library's scores and spans, what is refused, what is cut, every profile."""

from __future__ import annotations

import itertools
import json
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import satchel
from satchel import models
from satchel.checkpoints.folder import load_folder
from satchel.cli.main import main
from satchel.measure.conformance import case_file
from satchel.measure.verification import verify
from satchel.runtime.entity_texts import Limits, found
from satchel.runtime.errors import CheckpointError, UnsupportedError, UsageError
from satchel.runtime.manifest import LABELS, WORDS
from tests.loading import load_as
from tests.tiny_gliner import save_gliner

NAMES = ["fox", "the dog of it", "x"]
TEXTS = [
    "The fox sees Ada-Lovelace in London, on 3 May!",
    "it is",
    "\u4e16\u754c (fox) \U0001f600 runs",
]
BERT = {"model_type": "bert"}
CASES: dict[str, tuple[dict[str, Any] | None, dict[str, Any]]] = {
    "deberta": (None, {}),
    "two-layers": (None, {"num_rnn_layers": 2, "hidden_size": 32, "embed_ent_token": False}),
    "no-layer": (None, {"num_rnn_layers": 0, "max_width": 12}),
    "bert": (BERT, {}),
}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> satchel.EntityModel:
    folder = tmp_path_factory.mktemp("gliner")
    save_gliner(folder / "checkpoint")
    packed = satchel.pack(folder / "checkpoint", folder / "bundle", profile="fp32")
    assert all(check.passed for check in packed.checks)
    return load_as(satchel.EntityModel, folder / "bundle")


@pytest.mark.parametrize("name", CASES)
def test_scores_are_those_of_the_layout(name: str, tmp_path: Path) -> None:
    encoder, overrides = CASES[name]
    theirs = save_gliner(tmp_path / "checkpoint", encoder, **overrides)
    satchel.pack(tmp_path / "checkpoint", tmp_path / "bundle", profile="fp32")
    model = load_as(satchel.EntityModel, tmp_path / "bundle")
    for text in TEXTS:
        asked = model.reader.asked(text, NAMES)
        assert asked is not None
        ids = torch.from_numpy(asked.inputs["input_ids"])
        with torch.inference_mode():
            expected = theirs(ids, *(asked.inputs[key][0].tolist() for key in (WORDS, LABELS)))
        actual = model.encoder(asked.inputs)[0].transpose(0, 2, 1)
        inside = np.add.outer(np.arange(len(actual)), np.arange(actual.shape[1])) < len(actual)
        assert np.abs(expected.numpy() - actual)[inside].max() < 1e-4
    rows = verify(model)
    assert rows and all(row.passed for row in rows)


def test_a_text_longer_than_the_encoder_says_is_read_whole(tmp_path: Path) -> None:
    theirs = save_gliner(tmp_path / "checkpoint", max_len=400)
    satchel.pack(tmp_path / "checkpoint", tmp_path / "bundle", profile="fp32")
    model = load_as(satchel.EntityModel, tmp_path / "bundle")
    asked = model.reader.asked("dog fox runs " * 130, NAMES)
    assert asked is not None and asked.inputs["input_ids"].shape[1] > 256
    with torch.inference_mode():
        ids = torch.from_numpy(asked.inputs["input_ids"])
        expected = theirs(ids, *(asked.inputs[key][0].tolist() for key in (WORDS, LABELS)))
    actual = model.encoder(asked.inputs)[0].transpose(0, 2, 1)
    assert np.abs(expected.numpy() - actual)[:300].max() < 1e-4


def test_spans_have_places_and_keep_the_order_of_texts(bundle: satchel.EntityModel) -> None:
    together = bundle.entities([*TEXTS, "", " \n"], NAMES, threshold=0.2)
    assert together == [bundle.entities(text, NAMES, threshold=0.2) for text in [*TEXTS, "", " "]]
    assert together[-2:] == [[], []] and any(together)
    for text, spans in zip(TEXTS, together, strict=False):
        assert all(text[one.start : one.end] == one.text for one in spans)
        assert all(a.end <= b.start for a, b in itertools.pairwise(spans))
    assert bundle.entities(TEXTS[0], ["x", "x"]) == bundle.entities(TEXTS[0], ["x"])
    assert bundle.entities(TEXTS[0], NAMES, threshold=1) == []


def test_which_spans_exclude_each_other() -> None:
    words = [(0, 1), (2, 3), (4, 5)]
    logits = np.full((3, 2, 2), -9, np.float32)
    logits[0, 0, 1], logits[1, 0, 0], logits[1, 1, 0], logits[1, 0, 1] = 3, 2, 1, 2.5
    logits[2, 0, 1] = 9  # it would end behind the last word

    def spans(flat: bool, multi_label: bool) -> list[tuple[str, str]]:
        kept = found("a b c", words, logits, ["x", "y"], Limits(0.5, flat, multi_label))
        return [(one.text, one.label) for one in kept]

    assert spans(True, False) == [("a b", "x")]
    assert spans(False, False) == [("a b", "x"), ("b", "x")]
    assert spans(False, True) == [("a b", "x"), ("b", "x"), ("b", "y")]


def test_what_is_too_long_is_cut_by_whole_words(bundle: satchel.EntityModel) -> None:
    with pytest.warns(UserWarning, match="a text of 100 words is cut to 60"):
        long = bundle.entities("dog " * 100, NAMES, threshold=0)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert long == bundle.entities("dog " * 60, NAMES, threshold=0)
    with pytest.warns(UserWarning, match="is cut to"):
        bundle.entities("abcdefghijklmnopqrstuvwxyz " * 60, NAMES)
    with pytest.raises(UsageError, match="labels leave no room for a text: the model reads 1024"):
        bundle.entities("dog", ["abcdefghijklmnopqrstuvwxyz " * 50])


@pytest.mark.parametrize(
    ("given", "match"),
    [
        ({"labels": []}, "at least one"),
        ({"labels": "fox"}, "labels are one text"),
        ({"labels": ["fox", " "]}, "none of them empty"),
        ({"labels": ["<<ENT>>"]}, "a label holds '<<ENT>>'"),
        ({"labels": ["x"], "threshold": 2}, "expected 0 to 1"),
        ({"labels": ["x"], "threshold": "x"}, "expected 0 to 1"),
        ({"labels": ["x\ud800"]}, "lone surrogate"),
        ({"texts": 7, "labels": ["x"]}, "expected a text"),
        ({"texts": [7], "labels": ["x"]}, "expected a text"),
    ],
)
def test_what_cannot_be_asked(
    bundle: satchel.EntityModel, given: dict[str, Any], match: str
) -> None:
    with pytest.raises(UsageError, match=match):
        bundle.entities(**{"texts": TEXTS[0], **given})


def test_other_tasks_and_commands(
    bundle: satchel.EntityModel, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = str(bundle.bundle.folder)
    assert main(["entities", folder, TEXTS[0], "--labels", "fox, x", "--threshold", "0.2"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == len(bundle.entities(TEXTS[0], ["fox", "x"], threshold=0.2)) > 0
    assert main(["tokens", folder, TEXTS[0]]) == 2
    assert "made for 'entities'" in capsys.readouterr().err
    assert main(["quality", folder]) == 0
    assert main(["quality", folder, "--text", __file__]) == 2
    with pytest.raises(UsageError, match="no cases for a bundle made for entities"):
        list(case_file.requests(bundle))


@pytest.mark.parametrize(
    ("said", "match"),
    [
        (
            {"span_mode": "token_level"},
            "span_mode = 'token_level' is not supported; known: 'markerV0'",
        ),
        ({"model_type": "gliner_bi_encoder_span"}, "model_type 'gliner_bi_encoder_span'"),
        ({"labels_encoder": "x"}, "labels_encoder"),
        ({"subtoken_pooling": "mean"}, "subtoken_pooling"),
        ({"words_splitter_type": "spacy"}, "words_splitter_type"),
        ({"fuse_layers": True}, "fuse_layers"),
        ({"post_fusion_schema": "l2l"}, "post_fusion_schema"),
        ({"encoder_config": None}, "no encoder_config"),
        ({"encoder_config": {"model_type": "t5"}}, "model_type 't5'"),
        ({"max_width": 0}, "max_width = 0; expected 1"),
        ({"class_token_index": -1}, "class_token_index = -1"),
        ({"hidden_size": 23}, "hidden_size = 23 is odd"),
        ({"max_len": True}, "max_len = True"),
    ],
)
def test_other_models_are_refused_by_name(said: dict[str, Any], match: str, tmp_path: Path) -> None:
    save_gliner(tmp_path)
    path = tmp_path / "gliner_config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | said))
    with pytest.raises((UnsupportedError, CheckpointError), match=match):
        models.build_encoder(load_folder(tmp_path))


def test_files_that_do_not_fit(tmp_path: Path) -> None:
    folder = tmp_path / "checkpoint"
    save_gliner(folder, wobble=1)
    assert load_folder(folder).notes == ("gliner_config.json: 'wobble': not read",)
    path = folder / "gliner_config.json"
    said = json.loads(path.read_text())
    path.write_text(json.dumps(said | {"class_token_index": 1}))
    with pytest.raises(CheckpointError, match="save the model with its own tokenizer"):
        satchel.pack(folder, tmp_path / "out")
    for change, match in (
        ({"num_rnn_layers": 2}, "missing: 'rnn.lstm.weight_ih_l1'"),
        ({"num_rnn_layers": 0}, "unexpected"),
        ({"max_width": 5, "hidden_size": 32}, "do not fit the model"),
    ):
        path.write_text(json.dumps(said | change))
        with pytest.raises(CheckpointError, match=match):
            models.build_encoder(load_folder(folder))
    with pytest.raises(UnsupportedError, match="it finds entities"):
        path.write_text(json.dumps(said))
        models.build_encoder(load_folder(folder), "embed")
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(UnsupportedError, match="safe_serialization=True"):
        load_folder(folder)
