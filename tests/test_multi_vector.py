"""A vector of every token, as sentence-transformers' MultiVectorEncoder gives them on the same folder."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import satchel
from satchel.cli.main import main
from satchel.measure.conformance import case_file
from satchel.runtime.errors import BundleError, SatchelError, UsageError
from satchel.runtime.sealed import read, written
from tests.loading import load_as
from tests.test_sentence_bundles import edit
from tests.tiny_encoders import save_encoder

library = pytest.importorskip("sentence_transformers")
parts = pytest.importorskip("sentence_transformers.sentence_transformer.modules")
multi = pytest.importorskip("sentence_transformers.multi_vector_encoder.modules")

TEXTS = ["The fox runs.", "It is on!", "the cat sees the dog, and to the fox it is a dog", "x"]
LONG = "the fox sees the dog and the cat runs to it " * 30
TOKENS = "token_embeddings"
CLASSIC = {"strategy": "fixed", "attend": False, "length": 32}
CASES: dict[str, tuple[str, dict[str, Any], dict[str, Any], dict[str, Any]]] = {
    # model type, the transformer's options, the mask's, the encoder's
    "plain": ("bert", {}, {}, {}),
    "classic": (
        "bert",
        {"query_expansion": CLASSIC, "document_length": 40},
        {"skiplist_words": list(".,!")},
        {"prompts": {"query": "[Q] ", "document": "[D] "}},
    ),
    "attended": ("deberta-v2", {"query_expansion": CLASSIC | {"attend": True}}, {}, {}),
    "at least": (
        "modernbert",
        {"query_expansion": {"strategy": "min", "length": 6, "token": "fox"}, "query_length": 20},
        {"skiplist_words": [",", "nothing like it"], "skiplist_tasks": ["query", "document"]},
        {"similarity_fn_name": "meanmaxsim"},
    ),
    "mpnet": ("mpnet", {"query_expansion": CLASSIC, "query_length": 32}, {}, {}),
}


def made(folder: Path, name: str) -> tuple[Any, Any]:
    """(our bundle, the library's model)."""
    model_type, first, mask, options = CASES[name]
    torch.manual_seed(0)
    save_encoder(folder / "bare", model_type)
    modules = [
        parts.Transformer(str(folder / "bare"), **first),
        parts.Dense(
            64, 16, bias=False, activation_function=nn.Identity(), module_input_name=TOKENS
        ),
        multi.MultiVectorMask(**mask),
        parts.Normalize(module_input_name=TOKENS),
    ]
    library.MultiVectorEncoder(modules=modules, device="cpu", **options).save(str(folder / "made"))
    return loaded(folder)


def loaded(folder: Path) -> tuple[Any, Any]:
    satchel.pack(folder / "made", folder / "bundle", profile="fp32")
    theirs = library.MultiVectorEncoder(str(folder / "made"), device="cpu")
    return load_as(satchel.EncoderModel, folder / "bundle"), theirs


def assert_same(ours: Any, theirs: Any) -> None:
    expected: dict[str, list[Any]] = {}
    for kind, encode in (("query", theirs.encode_query), ("document", theirs.encode_document)):
        for texts in (TEXTS, [LONG, "the"]):
            expected[kind] = [encode([text], convert_to_numpy=True)[0] for text in texts]
            found = ours.token_vectors(texts, kind=kind)
            for one, other in zip(found, expected[kind], strict=True):
                assert one.shape == other.shape
                np.testing.assert_allclose(one, other, atol=2e-5)
    query, passages = "the dog runs", TEXTS
    scores = theirs.similarity(theirs.encode_query([query]), theirs.encode_document(passages))[0]
    ranked = ours.rank(query, passages)
    assert [one.index for one in ranked] == scores.argsort(descending=True).tolist()
    for one in ranked:
        assert one.score == pytest.approx(float(scores[one.index]), abs=1e-4)


@pytest.mark.filterwarnings("ignore:a text of more than")
@pytest.mark.parametrize("name", CASES)
def test_vectors_and_scores(name: str, tmp_path: Path) -> None:
    ours, theirs = made(tmp_path, name)
    assert_same(ours, theirs)
    assert ours.manifest.task == "multi-vector"
    assert ours.token_vectors(TEXTS[0]).shape[1] == 16


@pytest.mark.filterwarnings("ignore:a text of more than")
def test_folders_of_pylate(tmp_path: Path) -> None:
    """Two modules, of which one is its own; the rest stands in config_sentence_transformers.json."""
    made(tmp_path, "plain")
    folder = tmp_path / "made"
    modules = json.loads((folder / "modules.json").read_text())[:2]
    modules[1]["type"] = "pylate.models.Dense.Dense"
    (folder / "modules.json").write_text(json.dumps(modules))
    edit(
        folder / f"{modules[1]['path']}/config.json", module_input_name=..., module_output_name=...
    )
    edit(
        folder / "config_sentence_transformers.json", model_type="ColBERT", prompts={},
        similarity_fn_name="MaxSim", query_prefix="fox ", document_prefix="[unknown] ",
        query_length=24, document_length=50, attend_to_expansion_tokens=False,
        skiplist_words=[".", "!"],
    )  # fmt: skip
    satchel.pack(folder, tmp_path / "pylate", profile="fp32")
    theirs = library.MultiVectorEncoder(str(folder), device="cpu")
    assert_same(load_as(satchel.EncoderModel, tmp_path / "pylate"), theirs)


REFUSED: dict[str, tuple[str, dict[str, Any], str]] = {
    "patches": (
        "2_MultiVectorMask/config.json",
        {"keep_only_token_ids": [3]},
        "keep_only_token_ids",
    ),
    "strategy": (
        "sentence_bert_config.json",
        {"query_expansion": {"strategy": "most", "length": 3}},
        "'most'",
    ),
    "token": (
        "sentence_bert_config.json",
        {"query_expansion": CLASSIC | {"token": "[none]"}},
        "of the vocabulary",
    ),
    "dense": ("1_Dense/config.json", {"module_output_name": "other"}, "supported in a MultiVector"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_refused_by_name(name: str, tmp_path: Path) -> None:
    made(tmp_path, "plain")
    file, changes, words = REFUSED[name]
    edit(tmp_path / "made" / file, **changes)
    with pytest.raises(SatchelError, match=words):
        satchel.pack(tmp_path / "made", tmp_path / "again", profile="fp32")


def test_hidden_tokens_of_a_deberta_are_refused(tmp_path: Path) -> None:
    made(tmp_path, "attended")
    edit(tmp_path / "made" / "sentence_bert_config.json", query_expansion=CLASSIC)
    with pytest.raises(SatchelError, match="without attend is not supported by deberta-v2"):
        satchel.pack(tmp_path / "made", tmp_path / "again", profile="fp32")


@pytest.mark.filterwarnings("ignore:a text of more than")
def test_other_tasks_and_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    ours, _ = made(tmp_path, "classic")
    bundle = str(ours.bundle.folder)
    capsys.readouterr()
    assert main(["token-vectors", bundle, "the fox", "--kind", "query"]) == 0
    expected = ours.token_vectors("the fox", kind="query")
    np.testing.assert_allclose(json.loads(capsys.readouterr().out), expected, atol=1e-6)
    assert expected.shape == (32, 16)
    assert main(["rank", bundle, "--query", "the fox", *TEXTS, "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["index"] for row in rows] == [one.index for one in ours.rank("the fox", TEXTS)]
    with pytest.raises(UsageError, match="expected query or document"):
        ours.token_vectors("x", kind="passage")
    assert main(["verify", bundle]) == 0
    assert main(["quality", bundle]) == 0
    content = case_file.make(ours, 1)
    assert case_file.check(ours, content).lines == []
    assert sum(case["kind"] == "rank" for case in content["cases"]) >= 4
    satchel.pack(tmp_path / "made", tmp_path / "embed", profile="fp32", task="embed")
    assert load_as(satchel.EncoderModel, tmp_path / "embed").embed(["x"]).shape == (1, 64)
    save_encoder(tmp_path / "bert", "bert")
    with pytest.raises(SatchelError, match="no modules of a MultiVectorEncoder"):
        satchel.pack(tmp_path / "bert", tmp_path / "none", task="multi-vector")


def test_a_manifest_that_contradicts_itself(tmp_path: Path) -> None:
    manifest = made(tmp_path, "classic")[0].manifest
    assert read(written(manifest)) == manifest and manifest.multi_vector is not None
    wrong: list[dict[str, Any]] = [
        {"query_length": 0}, {"document_length": 1000}, {"expand_to": 33}, {"expand_with": None},
        {"skipped": [-1]}, {"skipped_in": ["passage"]},
    ]  # fmt: skip
    for change in wrong:
        edited = dataclasses.replace(manifest.multi_vector, **change)
        with pytest.raises(BundleError):
            read(written(dataclasses.replace(manifest, multi_vector=edited)))
    for changes in ({"multi_vector": None}, {"task": "embed"}):
        with pytest.raises(BundleError):
            read(written(dataclasses.replace(manifest, **changes)))


def test_int8_is_near(tmp_path: Path) -> None:
    ours, _ = made(tmp_path, "classic")
    satchel.pack(tmp_path / "made", tmp_path / "int8", profile="int8", force=True)
    rounded = load_as(satchel.EncoderModel, tmp_path / "int8")
    for kind in ("query", "document"):
        exact, other = (model.token_vectors(TEXTS[2], kind=kind) for model in (ours, rounded))
        assert (exact * other).sum(1).min() > 0.95
