"""Labels of one's own, as transformers' zero-shot pipeline gives them on the same files."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import transformers

import satchel
from satchel.cli.main import main
from satchel.runtime.errors import UsageError
from tests.loading import load_as
from tests.outcome import refused
from tests.tiny import edit_config
from tests.tiny_encoders import save_encoder

LABELS = ["dog", "the cat runs", "to"]
TEXTS = ["The fox runs.", "the cat sees it on the dog", "x"]
LONG = "the fox sees a dog on it and runs to the cat. " * 12
NAMES = {  # of published classifiers: BART's and RoBERTa's, the zero-shot DeBERTas', a cross-encoder's
    "last": ["CONTRADICTION", "NEUTRAL", "ENTAILMENT"],
    "first": ["entailment", "neutral", "contradiction"],
    "middle": ["contradiction", "entailment", "neutral"],
    "two": ["entailment", "not_entailment"],
}


def named(names: list[str]) -> dict[str, Any]:
    return {
        "id2label": {str(index): name for index, name in enumerate(names)},
        "label2id": {name: index for index, name in enumerate(names)},
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Any, Any]]:
    """(our bundle, transformers' pipeline) of a row of NAMES, made once."""
    known: dict[str, tuple[Any, Any]] = {}

    def get(name: str) -> tuple[Any, Any]:
        if name not in known:
            folder = tmp_path_factory.mktemp(name)
            source, names = folder / "checkpoint", NAMES[name]
            model_type = "deberta-v2" if name == "first" else "bert"
            save_encoder(source, model_type, "classify", num_labels=len(names))
            edit_config(source, **named(names))
            satchel.pack(source, folder / "out", profile="fp32")
            theirs = transformers.pipeline(
                "zero-shot-classification", model=str(source), device="cpu"
            )
            known[name] = load_as(satchel.EncoderModel, folder / "out"), theirs
        return known[name]

    return get


def same(found: Any, expected: dict[str, Any]) -> None:
    assert list(found.scores) == expected["labels"]
    assert list(found.scores.values()) == pytest.approx(expected["scores"], abs=1e-5)
    assert (found.label, found.score) == next(iter(found.scores.items()))


@pytest.mark.parametrize("multi_label", [False, True])
@pytest.mark.parametrize("name", NAMES)
def test_labels_of_ones_own(name: str, multi_label: bool, made: Any) -> None:
    ours, theirs = made(name)
    found = ours.zero_shot(TEXTS, LABELS, multi_label=multi_label)
    expected = theirs(TEXTS, candidate_labels=LABELS, multi_label=multi_label)
    for one, other in zip(found, expected, strict=True):
        same(one, other)
    assert found[0].scores["dog"] != pytest.approx(found[1].scores["dog"], abs=1e-4)


def test_a_template_and_one_label(made: Any) -> None:
    ours, theirs = made("last")
    template = "it sees {}, the {} on it"
    for labels in (LABELS, LABELS[:1]):
        found = ours.zero_shot(TEXTS[0], labels, template=template.replace("the {} ", ""))
        expected = theirs(
            TEXTS[0], candidate_labels=labels, hypothesis_template=template.replace("the {} ", "")
        )
        same(found, expected)


def test_too_long_a_text_is_cut_and_its_hypothesis_is_not(made: Any) -> None:
    ours, theirs = made("last")
    with pytest.warns(UserWarning, match="is cut"):
        found = ours.zero_shot(LONG, LABELS)
    same(found, theirs(LONG, candidate_labels=LABELS))
    with pytest.raises(UsageError, match="leaves no room for the text"):
        ours.zero_shot("x", ["the fox " * 60])


@pytest.mark.parametrize(
    ("labels", "template", "words"),
    [
        ([], "{}", "one at least"),
        ("dog", "{}", "expected a list of texts"),
        (["dog", "dog"], "{}", "stands there twice"),
        (["dog", " "], "{}", "is no text"),
        (["dog"], "no place", "expected a text with {}"),
    ],
)
def test_what_asks_nothing_is_refused(labels: Any, template: str, words: str, made: Any) -> None:
    with pytest.raises(UsageError, match=words):
        made("last")[0].zero_shot("x", labels, template=template)


def test_other_classifiers_are_refused(tmp_path: Path) -> None:
    save_encoder(tmp_path / "checkpoint", "bert", "classify")
    satchel.pack(tmp_path / "checkpoint", tmp_path / "out", profile="fp32")
    model = load_as(satchel.EncoderModel, tmp_path / "out")
    with pytest.raises(UsageError, match="this bundle has 'LABEL_0, LABEL_1, LABEL_2'"):
        model.zero_shot("x", LABELS)


def test_command(made: Any, capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    ours, _ = made("first")
    bundle = str(ours.bundle.folder)
    given = ["--labels", "dog, the cat runs,to,"]
    capfd.readouterr()
    assert main(["zero-shot", bundle, *TEXTS[:2], *given, "--json"]) == 0
    expected = ours.zero_shot(TEXTS[:2], LABELS)
    found = json.loads(capfd.readouterr().out)
    assert [one["scores"] for one in found] == [pytest.approx(one.scores) for one in expected]
    assert (
        main(["zero-shot", bundle, TEXTS[0], *given, "--template", "it is {}", "--multi-label"])
        == 0
    )
    rows = capfd.readouterr().out.splitlines()
    one = ours.zero_shot(TEXTS[0], LABELS, template="it is {}", multi_label=True)
    assert [row.split("  ")[0] for row in rows] == list(one.scores)
    lines = tmp_path / "texts.txt"
    lines.write_text("".join(f"{text}\n" for text in TEXTS))
    assert main(["zero-shot", bundle, "--file", str(lines), *given]) == 0
    assert len(capfd.readouterr().out.splitlines()) == len(TEXTS) * len(LABELS)
    refused(capfd, ["zero-shot", bundle, "x"], "USAGE", "--labels", within=tmp_path)
