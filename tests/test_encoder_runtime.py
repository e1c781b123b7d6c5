"""Encoder bundles: what an app gets equals transformers, and does not depend on its company."""

from __future__ import annotations

import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers
from torch import nn

import satchel
from satchel.runtime.errors import LimitError, UsageError
from satchel.runtime.task import TASKS
from tests.loading import load_as
from tests.tiny import edit_config, save_checkpoint
from tests.tiny_encoders import POSITIONS, save_encoder

pytest_plugins = "tests.encoder_bundles"

TEXTS = [
    "The fox runs.",
    "",
    "Ünïcödé café, naïve",
    "it is 7 o'clock and the cat sees the dog",
    "狐狸跑 the fox 🦊 runs",
    "x",
    "The fox runs.",
    "the dog " * 20,
]
LONG = "the fox sees a dog on it and runs to the cat. " * 12
NAMES = {"0": "O", "1": "B-CAT", "2": "I-CAT"}


def pipeline(folder: Path, name: str, **options: Any) -> Any:
    return transformers.pipeline(name, model=str(folder), device="cpu", **options)


def their_vectors(theirs: Any, folder: Path, texts: list[str]) -> np.ndarray:
    tokenizer, rows = transformers.AutoTokenizer.from_pretrained(folder), []
    for text in texts:
        inputs = tokenizer(text, return_tensors="pt", truncation=True)
        with torch.inference_mode():
            states = theirs(**inputs).last_hidden_state
        rows.append(nn.functional.normalize(states.mean(1), dim=-1)[0].numpy())
    return np.stack(rows)


@pytest.mark.parametrize("model_type", ["bert", "roberta", "distilbert", "mpnet", "modernbert"])
def test_vectors_equal_transformers(model_type: str, made: Any) -> None:
    ours, theirs, folder = made(model_type, "embed")
    found = ours.embed(TEXTS)
    assert found.dtype == np.float32 and found.shape == (len(TEXTS), 64)
    np.testing.assert_allclose(found, their_vectors(theirs, folder, TEXTS), atol=1e-5)


@pytest.mark.parametrize("profile", ["fp32", "int8"])
def test_vectors_do_not_depend_on_their_company(profile: str, made: Any) -> None:
    ours, _, _ = made("bert", "embed", profile)
    together = ours.embed(TEXTS)
    alone = np.concatenate([ours.embed(text) for text in TEXTS])
    np.testing.assert_allclose(together, alone, atol=1e-6)
    order = np.random.default_rng(0).permutation(len(TEXTS))
    np.testing.assert_allclose(ours.embed([TEXTS[i] for i in order]), together[order], atol=1e-6)
    np.testing.assert_allclose(np.linalg.norm(together, axis=1), 1, atol=1e-6)
    assert np.abs(together[0] - together[3]).max() > 0.01


def test_int8_is_near_float32(made: Any) -> None:
    exact, rounded = (made("bert", "embed", name)[0].embed(TEXTS) for name in ("fp32", "int8"))
    assert (exact * rounded).sum(1).min() > 0.99


def test_threads_share_a_model(made: Any) -> None:
    ours, _, _ = made("bert", "embed")
    expected = ours.embed(TEXTS)
    with ThreadPoolExecutor(4) as pool:
        for found in pool.map(lambda _: ours.embed(TEXTS, window=4), range(12)):
            np.testing.assert_allclose(found[:3], expected[:3], atol=1e-6)


def test_empty_lists_and_texts(made: Any) -> None:
    embedding, classifier = made("bert", "embed")[0], made("bert", "classify")[0]
    assert embedding.embed([]).shape == (0, 64)
    assert classifier.classify([]) == []
    assert made("bert", "tokens")[0].tokens("") == []
    special = embedding.embed(["[CLS][SEP]", "[PAD]", " \n"])
    assert np.isfinite(special).all()
    assert embedding.hidden_states("").shape == (2, 64)
    with pytest.raises(UsageError, match="empty"):
        embedding.hidden_states([])


def test_texts_that_are_none(made: Any) -> None:
    embedding = made("bert", "embed")[0]
    with pytest.raises(UsageError, match="lone surrogate at character 1"):
        embedding.embed(["fine", "a\ud800"])
    classifier = made("bert", "classify")[0]
    for bad in (None, 7, b"bytes", ["x", "y"]):
        for call in (
            lambda bad: embedding.embed([bad]),
            lambda bad: classifier.classify([bad]),
            lambda bad: classifier.classify([("x", bad)]),
            lambda bad: classifier.classify((bad, "x")),
        ):
            with pytest.raises(UsageError, match="expected a text"):
                call(bad)
    for bad in (None, 7, b"bytes"):
        with pytest.raises(UsageError, match="expected a text or a list"):
            embedding.embed(bad)
    for pair in ((), ("x", "y", "z")):
        with pytest.raises(UsageError, match="tuple of two"):
            classifier.classify([pair])
    assert embedding.embed(text for text in ("x", "y")).shape == (2, 64)
    with pytest.raises(UsageError, match="outside"):
        embedding.hidden_states([5, -1])
    with pytest.raises(LimitError, match="97 ids"):
        embedding.hidden_states([5] * 97)
    with pytest.raises(UsageError, match="unknown; the bundle has none"):
        embedding.embed("fox", prompt="query")


@pytest.mark.parametrize("unit", ["the fox ", "x", " ", "狐"])
def test_a_million_characters_are_cut_in_bounded_time(unit: str, made: Any) -> None:
    ours, theirs, folder = made("bert", "embed")
    text = unit * (1_000_000 // len(unit))
    began = time.monotonic()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        found = ours.embed(text)
    assert time.monotonic() - began < 5
    cut = unit in ("the fox ", "狐")  # one endless word is one unknown token, spaces are none
    assert [str(one.message) for one in caught] == [
        f"a text of more than {POSITIONS} tokens is cut"
    ] * cut
    short = [unit * 400 if cut else text]
    np.testing.assert_allclose(found, their_vectors(theirs, folder, short), atol=1e-5)


def test_what_no_tokenizer_should_see(made: Any) -> None:
    with pytest.raises(LimitError, match="characters"):
        made("bert", "embed")[0].embed("x" * (1 << 25))


def test_windows_are_averaged_by_length(made: Any) -> None:
    ours, theirs, folder = made("bert", "embed")
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    pieces = tokenizer(LONG, truncation=True, stride=10, return_overflowing_tokens=True).input_ids
    assert len(pieces) > 1
    total = np.zeros(64)
    for ids in pieces:
        with torch.inference_mode():
            states = theirs(torch.tensor([ids])).last_hidden_state
        total += len(ids) * nn.functional.normalize(states.mean(1), dim=-1)[0].numpy()
    found = ours.embed([LONG, "The fox runs."], window=10)
    np.testing.assert_allclose(found[0], total / np.linalg.norm(total), atol=1e-5)
    np.testing.assert_array_equal(found[1:], ours.embed("The fox runs."))
    for window in (-1, POSITIONS - 2, True, 1.5):
        with pytest.raises(UsageError, match="expected a whole number from 0 to 93"):
            ours.embed(LONG, window=window)


@pytest.mark.parametrize(
    ("problem", "activation"),
    [
        ("single_label_classification", "softmax"),
        ("multi_label_classification", "sigmoid"),
        ("regression", "none"),
    ],
)
def test_labels_equal_the_pipeline(problem: str, activation: str, made: Any) -> None:
    names = {"0": "bad", "1": "so-so", "2": "good"}
    ours, _, folder = made("bert", "classify", problem_type=problem, id2label=names)
    reader = pipeline(folder, "text-classification", function_to_apply=activation, top_k=None)
    texts = [text for text in TEXTS if text]
    found = ours.classify(texts)
    for text, one in zip(texts, found, strict=True):
        expected = {item["label"]: item["score"] for item in reader([text], truncation=True)[0]}
        assert one.scores == pytest.approx(expected, abs=1e-4)
        assert one.label == max(expected, key=lambda name: expected[name])
        assert one.score == one.scores[one.label]
    assert ours.classify(texts[0]).scores == pytest.approx(found[0].scores, abs=1e-6)
    pair = ("The fox runs.", "the dog is on it")
    expected = {
        item["label"]: item["score"] for item in reader({"text": pair[0], "text_pair": pair[1]})
    }
    assert ours.classify(pair).scores == pytest.approx(expected, abs=1e-4)
    assert ours.classify([pair])[0].scores != pytest.approx(ours.classify(pair[0]).scores, abs=1e-3)


def test_several_labels_of_one_name(tmp_path: Path) -> None:
    """As in ImageNet: the greatest of their scores counts, which is the likeliest label's."""
    save_encoder(tmp_path / "checkpoint", "bert", "classify")
    edit_config(tmp_path / "checkpoint", id2label={"0": "crane", "1": "other", "2": "crane"})
    satchel.pack(tmp_path / "checkpoint", tmp_path / "out", profile="fp32")
    reader = transformers.pipeline(
        "text-classification", model=str(tmp_path / "checkpoint"), device="cpu"
    )
    for text in ("the fox", "it runs on and on", "x"):
        found, rows = (
            load_as(satchel.EncoderModel, tmp_path / "out").classify(text),
            reader(text, top_k=None),
        )
        assert (found.label, len(rows)) == (rows[0]["label"], 3)
        for name, score in found.scores.items():
            most = max(row["score"] for row in rows if row["label"] == name)
            assert abs(score - most) < 1e-4


def test_rank_puts_the_best_first(made: Any, tmp_path: Path) -> None:
    theirs = save_encoder(tmp_path / "checkpoint", "bert", "classify", num_labels=1)
    satchel.pack(tmp_path / "checkpoint", tmp_path / "out", profile="fp32")
    ours = load_as(satchel.EncoderModel, tmp_path / "out", threads=1)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "checkpoint")
    passages = ["the dog is on it", "x", LONG, "the cat", "the cat"]
    expected = []
    for passage in passages:
        inputs = tokenizer("fox?", passage, return_tensors="pt", truncation=True)
        with torch.inference_mode():
            expected.append(float(theirs(**inputs).logits[0, 0]))
    found = ours.rank("fox?", passages)
    assert [one.index for one in found] == list(np.argsort(-np.array(expected), kind="stable"))
    scores = 1 / (1 + np.exp(-np.sort(expected)[::-1]))  # as the pipeline and CrossEncoder have it
    assert [one.score for one in found] == pytest.approx(list(scores), abs=1e-4)
    assert ours.rank("fox?", []) == []
    with pytest.raises(UsageError, match="expected a list"):
        ours.rank("fox?", "the dog")
    with pytest.raises(UsageError, match="one label; it has 3"):
        made("bert", "classify")[0].rank("fox?", passages)


def test_spans_equal_the_pipeline(made: Any) -> None:
    ours, _, folder = made("bert", "tokens", id2label=NAMES)
    reader = pipeline(folder, "token-classification", aggregation_strategy="first")
    seen = 0
    for text in [text for text in TEXTS if text] + ["Zoë's café — naïve? 狐狸 fox-dog (cat) 42nd"]:
        expected = reader(text)
        found = ours.tokens(text)
        seen += len(found)
        assert [(one.label, one.start, one.end) for one in found] == [
            (one["entity_group"], one["start"], one["end"]) for one in expected
        ]
        scores = [one["score"] for one in expected]
        assert [one.score for one in found] == pytest.approx(scores, abs=1e-4)
        assert all(one.text == text[one.start : one.end] for one in found)
    assert seen > 10


@pytest.mark.parametrize("model_type", ["bert", "modernbert"])
def test_masks_equal_the_pipeline(model_type: str, made: Any) -> None:
    ours, _, folder = made(model_type, "fill-mask")
    text = "the [MASK] sees Ünï"
    expected = pipeline(folder, "fill-mask", top_k=7)(text)
    found = ours.fill_mask(text, top=7)
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    assert [one.token for one in found] == [tokenizer.decode([one["token"]]) for one in expected]
    assert [one.score for one in found] == pytest.approx(
        [one["score"] for one in expected], abs=1e-4
    )
    assert found[0].text == text.replace("[MASK]", found[0].token)
    for wrong, count in (("no mask", 0), ("[MASK] and [MASK]", 2)):
        with pytest.raises(UsageError, match=rf"{count} masks; write one as \[MASK\]"):
            ours.fill_mask(wrong)


def test_hidden_states_equal_transformers(made: Any) -> None:
    for task in ("embed", "classify", "tokens", "answer", "fill-mask"):
        ours, theirs, _ = made("bert", task)
        ids = [1, 30, 40, 50, 2]
        with torch.inference_mode():
            expected = theirs.base_model(torch.tensor([ids])).last_hidden_state[0]
        np.testing.assert_allclose(ours.hidden_states(ids), expected, atol=1e-4)


CALLS = {
    "embed": ("x",),
    "classify": ("x",),
    "rank": ("x", ["y"]),
    "tokens": ("x",),
    "answer": ("x", "y"),
    "fill_mask": ("x",),
    "hidden_states": ("x",),
    "embed_images": (np.zeros((4, 4, 3), np.uint8),),
    "classify_images": (np.zeros((4, 4, 3), np.uint8),),
    "generate": ("x",),
    "chat": ([],),
    "score": ("x",),
}


def test_a_wrong_method_names_the_right_ones(made: Any, tmp_path: Path) -> None:
    save_checkpoint(tmp_path / "checkpoint", "llama")
    satchel.pack(tmp_path / "checkpoint", tmp_path / "out", profile="fp32")
    models: list[Any] = [satchel.load(tmp_path / "out", threads=1)]
    models += [
        made("bert", task)[0] for task in ("embed", "classify", "tokens", "answer", "fill-mask")
    ]
    for model in models:
        fitting = TASKS[model.manifest.task].methods
        for method, arguments in CALLS.items():
            if method not in fitting:
                with pytest.raises(UsageError, match=fitting[0]) as raised:
                    getattr(model, method)(*arguments)
                assert raised.value.code == "WRONG_TASK" and method in str(raised.value)
        with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
            model.nonsense()
    assert not hasattr(models[0], "embed")
