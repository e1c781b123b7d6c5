"""Pages of words with boxes: LayoutLMv3 as transformers answers without an image, and what is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
import transformers

import satchel
from satchel import models
from satchel.checkpoints.folder import load_folder
from satchel.cli.main import main
from satchel.measure.verification import verify
from satchel.runtime.errors import LimitError, UnsupportedError, UsageError
from tests.loading import load_as
from tests.tiny_pages import BOXES, POSITIONS, WORDS, made_page, save_page_encoder

NEAR = 1e-3
CASES: dict[str, tuple[str, dict[str, Any]]] = {
    "words": ("page-tokens", {}),
    "many-labels": ("page-tokens", {"num_labels": 12}),
    "no-bias": ("page-tokens", {"has_relative_attention_bias": False}),
    "near-bias": ("page-tokens", {"has_spatial_attention_bias": False}),
    "no-images": ("page-tokens", {"visual_embed": False, "type_vocab_size": 1}),
    "page": ("page-classify", {"num_labels": 12}),
}


@pytest.fixture(scope="module")
def stored(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("pages")
    save_page_encoder(folder / "checkpoint")
    packed = satchel.pack(folder / "checkpoint", folder / "bundle", profile="fp32")
    assert all(check.passed for check in packed.checks)
    assert any("no images" in note for note in packed.notes)
    return folder


@pytest.fixture(scope="module")
def bundle(stored: Path) -> satchel.EncoderModel:
    return load_as(satchel.EncoderModel, stored / "bundle", threads=1)


@pytest.mark.parametrize("name", CASES)
def test_scores_are_those_of_transformers(name: str, tmp_path: Path) -> None:
    task, overrides = CASES[name]
    theirs = save_page_encoder(tmp_path, task, **overrides)
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path)
    ours = models.build_encoder(load_folder(tmp_path))
    pages = [(WORDS, BOXES), made_page(20), made_page(3, 1)]
    padded = tokenizer(
        [page[0] for page in pages],
        boxes=[page[1] for page in pages],
        padding=True,
        return_tensors="pt",
    )
    with torch.inference_mode():
        expected = theirs(**padded).logits
        for row, mask in enumerate(padded["attention_mask"].bool()):
            read = (padded[key][row, mask][None] for key in ("input_ids", "bbox"))
            logits = ours.towers["encoder"](*read)[1][0]
            right = expected[row, mask] if task == "page-tokens" else expected[row]
            assert (logits - right).abs().max() < NEAR
    assert ours.task == task and bool(ours.notes) == ("visual_embed" not in overrides)


def test_words_have_the_labels_of_their_first_tokens(
    stored: Path, bundle: satchel.EncoderModel
) -> None:
    theirs = transformers.LayoutLMv3ForTokenClassification.from_pretrained(stored / "checkpoint")
    tokenizer = transformers.AutoTokenizer.from_pretrained(stored / "checkpoint")
    for words, boxes in ((WORDS, BOXES), made_page(12), ([], [])):
        read = tokenizer(words, boxes=boxes, return_tensors="pt") if words else None
        labelled = bundle.label_words(words, boxes)
        assert [(one.word, list(one.box)) for one in labelled] == list(
            zip(words, boxes, strict=True)
        )
        if read is None:
            continue
        with torch.inference_mode():
            scores = theirs.eval()(**read).logits[0].softmax(-1).numpy()
        firsts = [read.word_ids().index(number) for number in range(len(words))]
        for one, row in zip(labelled, scores[firsts], strict=True):
            assert one.label == theirs.config.id2label[int(row.argmax())]
            assert abs(one.score - row.max()) < NEAR
        assert len(bundle.page_states(words, boxes)) == read["input_ids"].shape[1]
    as_arrays = bundle.label_words(tuple(WORDS), np.array(BOXES))  # type: ignore[arg-type]
    assert as_arrays == bundle.label_words(WORDS, BOXES)
    rows = verify(bundle)
    assert rows and all(row.passed for row in rows)


def test_int8_stays_close(stored: Path, bundle: satchel.EncoderModel, tmp_path: Path) -> None:
    satchel.pack(stored / "checkpoint", tmp_path / "out", profile="int8", force=True)
    model = load_as(satchel.EncoderModel, tmp_path / "out", threads=1)
    states, exact = (one.page_states(WORDS, BOXES) for one in (model, bundle))
    lengths = np.linalg.norm(states, axis=1) * np.linalg.norm(exact, axis=1)
    assert ((states * exact).sum(1) / lengths).min() > 0.995


@pytest.mark.parametrize(
    ("words", "boxes", "match"),
    [
        (["a"], [], "1 words and 0 boxes: number 1 has no box"),
        (["a"], [[0, 0, 1, 1]] * 2, "number 2 has no word"),
        ("a", [[0, 0, 1, 1]], "list of words"),
        (["a", "b"], [[0, 0, 1, 1], [0, 0, 1]], r"box of word 2 is .*four whole numbers"),
        (["a"], [[0, 0, 1, 1.5]], r"box of word 1 .*four whole numbers"),
        (["a"], [[0, 0, 1, True]], r"box of word 1 .*four whole numbers"),
        (["a"], [None], "box of word 1 is None"),
        (["a"], [[0, 0, 1, 1001]], r"box of word 1 .*0\.\.1000"),
        (["a"], [[-1, 0, 1, 1]], r"box of word 1 .*0\.\.1000"),
        (["a"], [[5, 0, 4, 1]], r"box of word 1 .*left <= right"),
        (["a"], [[0, 3, 4, 1]], r"box of word 1 .*top <= bottom"),
        (["a", ""], [[0, 0, 1, 1]] * 2, "word 2 gives no tokens"),
        (["a", 7], [[0, 0, 1, 1]] * 2, "word 2: expected a text"),
        (["\ud800"], [[0, 0, 1, 1]], "word 1: the text holds a lone surrogate"),
    ],
)
def test_what_is_no_page(bundle: satchel.EncoderModel, words: Any, boxes: Any, match: str) -> None:
    with pytest.raises(UsageError, match=match):
        bundle.label_words(words, boxes)


def test_a_page_too_long_names_the_first_word_that_does_not_fit(
    bundle: satchel.EncoderModel,
) -> None:
    count = POSITIONS // 2
    words, boxes = ["b"] * count, [[0, 0, 1, 1]] * count  # a space and a letter: two tokens
    with pytest.raises(LimitError, match=f"word {count} and those behind it do not fit"):
        bundle.label_words(words, boxes)
    assert len(bundle.label_words(words[:-1], boxes[:-1])) == count - 1


def test_what_cannot_be_exported(tmp_path: Path) -> None:
    save_page_encoder(tmp_path / "answer", "answer")
    with pytest.raises(UnsupportedError, match=r"ForQuestionAnswering.*page-tokens, page-classify"):
        models.build_encoder(load_folder(tmp_path / "answer"))
    save_page_encoder(tmp_path / "words")
    with pytest.raises(UsageError, match="--task 'tokens' does not fit a model of pages"):
        models.build_encoder(load_folder(tmp_path / "words"), "tokens")
    with pytest.raises(UnsupportedError, match="no head for classify"):
        models.build_encoder(load_folder(tmp_path / "words"), "page-classify")
    config = json.loads((tmp_path / "words" / "config.json").read_text())
    for key, value in (
        ("max_2d_position_embeddings", 1000),
        ("text_embed", False),
        ("coordinate_size", 13),
        ("rel_pos_bins", 2),
        ("max_rel_2d_pos", 4),
    ):
        (tmp_path / "words" / "config.json").write_text(json.dumps(config | {key: value}))
        with pytest.raises(satchel.SatchelError, match=key):
            models.build_encoder(load_folder(tmp_path / "words"))


def test_special_tokens_stand_nowhere(tmp_path: Path) -> None:
    save_page_encoder(tmp_path)
    file = tmp_path / "tokenizer_config.json"
    written = json.loads(file.read_text()) | {"sep_token_box": [1000, 1000, 1000, 1000]}
    file.write_text(json.dumps(written))
    with pytest.raises(UnsupportedError, match="sep_token_box"):
        models.build_encoder(load_folder(tmp_path))


def test_a_class_and_a_vector_of_a_page(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "form.json").write_text(
        json.dumps([{"text": w, "box": b} for w, b in zip(WORDS, BOXES, strict=True)])
    )
    for task in ("page-classify", "page-embed"):
        folder, out = tmp_path / task, tmp_path / f"{task}-bundle"
        theirs = save_page_encoder(folder, task)
        satchel.pack(folder, out, profile="fp32", task=task)
        model = load_as(satchel.EncoderModel, out, threads=1)
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
        with torch.inference_mode():
            read = theirs(**tokenizer(WORDS, boxes=BOXES, return_tensors="pt"))
        assert main(["page", str(out), str(tmp_path / "form.json")]) == 0
        printed = capsys.readouterr().out
        if task == "page-classify":
            found, scores = model.classify_page(WORDS, BOXES), read.logits[0].softmax(-1)
            assert found.label == theirs.config.id2label[int(scores.argmax())]
            assert abs(found.scores[found.label] - float(scores.max())) < NEAR
            assert printed.split()[1] == found.label
        else:
            vector = model.embed_page(WORDS, BOXES)
            expected = read.last_hidden_state[0].mean(0).numpy()
            assert np.abs(vector - expected / np.linalg.norm(expected)).max() < NEAR
            assert np.allclose(json.loads(printed), vector)


def test_the_command(
    stored: Path, bundle: satchel.EncoderModel, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    form = [{"text": word, "box": box} for word, box in zip(WORDS, BOXES, strict=True)]
    file, folder = tmp_path / "form.json", str(stored / "bundle")
    file.write_text(json.dumps(form), "utf-8")
    assert main(["page", folder, str(file)]) == 0
    lines = capsys.readouterr().out.splitlines()
    expected = bundle.label_words(WORDS, BOXES)
    assert [line.split()[0] for line in lines] == [one.label for one in expected]
    assert main(["page", folder, str(file), "--json"]) == 0
    assert [one["word"] for one in json.loads(capsys.readouterr().out)] == WORDS
    for content, match in (
        ("{", "is not JSON"),
        ("{}", "expected"),
        ('[{"text": "a"}]', "word 1 is"),
        ('[{"text": "a", "box": [1]}]', "word 1 is"),
    ):
        file.write_text(content)
        assert main(["page", folder, str(file)]) == 2
        assert match in capsys.readouterr().err
    assert main(["page", folder, str(tmp_path / "none.json")]) != 0
    assert "none.json" in capsys.readouterr().err
    assert main(["tokens", folder, "a text"]) == 2
    assert "satchel page" in capsys.readouterr().err
