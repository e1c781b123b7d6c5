"""Processors: greedy texts as transformers writes them, and options that are checked."""

from __future__ import annotations

import json
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from transformers.generation import logits_process as theirs_of

import satchel
from satchel.runtime.decoder_model import DecoderModel
from satchel.runtime.errors import UsageError
from satchel.runtime.options import Options
from satchel.runtime.processors import processors
from tests.generating import CONTEXT, PROMPT, opened, some_ids
from tests.loading import load_as
from tests.tiny import VOCAB, save_checkpoint

pytest_plugins = "tests.chat_bundles"

ENDS = (5, 9, 200)
CASES: dict[str, dict[str, Any]] = {
    "ngram": {"no_repeat_ngram_size": 3},
    "unigram": {"no_repeat_ngram_size": 1},
    "prompt_ngram": {"encoder_no_repeat_ngram_size": 2},
    "repetition": {"repetition_penalty": 1.3},
    "min_new": {"min_new_tokens": 11},
    "min_length": {"min_length": 20},
    "suppressed": {"suppress_tokens": [3, 60, 77, 18]},
    "suppressed_first": {"begin_suppress_tokens": list(range(200))},
    "forced_end": {"forced_eos_token_id": 9},
    "bad_words": {"bad_words_ids": [[60], [77, 18], [3, 3], [5], [18, 3, 77]]},
    "encoder_repetition": {"encoder_repetition_penalty": 1.4},
    "decay": {"exponential_decay_length_penalty": [3, 1.2]},
    "renormalized": {"renormalize_logits": True, "repetition_penalty": 1.2},
    "all": {
        "no_repeat_ngram_size": 2,
        "repetition_penalty": 1.1,
        "min_new_tokens": 4,
        "suppress_tokens": [1, 2, 3],
        "begin_suppress_tokens": [60, 61],
        "forced_eos_token_id": [9, 5],
        "bad_words_ids": [[40], [41, 42]],
    },
}


@pytest.mark.parametrize("name", CASES)
def test_greedy_texts_equal_transformers(
    exact: DecoderModel, exact_folder: Any, checkpoint: Any, name: str
) -> None:
    ending, differ = opened(exact_folder, ENDS), False
    prompts = [[3, 18, 60, 77, 5] * 3, some_ids(15, seed=1)]
    for bias in (0.0, 4.0, 9.0):
        changes = dict.fromkeys(ENDS, bias) | dict.fromkeys((3, 18, 60, 77), 7.0)
        options: dict[str, Any] = {"max_new_tokens": 24, **CASES[name]}
        plain = ending.generate(prompts, max_new_tokens=24, logit_bias=changes)
        found = ending.generate(prompts, logit_bias=changes, **options)
        with torch.inference_mode():
            theirs = checkpoint[1].generate(
                torch.tensor(prompts),
                attention_mask=torch.ones(2, 15, dtype=torch.long),
                do_sample=False,
                sequence_bias={(token,): value for token, value in changes.items()},
                eos_token_id=list(ENDS),
                pad_token_id=0,
                **options,
            )
        for row, ids in zip(found, theirs[:, 15:].tolist(), strict=True):
            end = next((i for i, token in enumerate(ids) if token in ENDS), len(ids))
            assert row.tokens == ids[:end]
            assert row.finish_reason == ("eos" if end < len(ids) else "length")
        differ = differ or [row.tokens for row in found] != [row.tokens for row in plain]
        alone = [ending.generate(ids, logit_bias=changes, **options) for ids in prompts]
        assert [row.tokens for row in alone] == [row.tokens for row in found]
    assert differ  # the option does something


def test_what_the_checkpoint_recommends_is_done_unasked(tmp_path: Path) -> None:
    source = tmp_path / "checkpoint"
    theirs = save_checkpoint(source, "llama", num_hidden_layers=1)
    advice = {"no_repeat_ngram_size": 2, "suppress_tokens": [3, 4], "min_new_tokens": 5}
    left = {"num_beams": 4, "max_length": 9, "length_penalty": 2.0}
    (source / "generation_config.json").write_text(json.dumps(advice | left))
    packed = satchel.pack(source, tmp_path / "bundle", profile="fp32")
    assert packed.manifest.generation == advice
    assert any("recommends num_beams = 4" in note for note in packed.notes)
    found = load_as(satchel.DecoderModel, tmp_path / "bundle", threads=1).generate(
        PROMPT, max_new_tokens=40
    )
    with torch.inference_mode():
        expected = theirs.generate(
            torch.tensor([PROMPT]), max_new_tokens=40, do_sample=False, eos_token_id=-1, **advice
        )
    assert found.tokens == expected[0, len(PROMPT) :].tolist()


@pytest.mark.parametrize("size", [1, 2, 3, 5])
def test_ngrams_equal_transformers(size: int) -> None:
    random = np.random.default_rng(size)
    for length in range(1, 25):
        text = random.integers(0, 3, length)
        source = random.integers(0, 3, random.integers(1, 12))
        ids = torch.tensor(text)[None]
        for option, process in (
            ("no_repeat_ngram_size", theirs_of.NoRepeatNGramLogitsProcessor(size)),
            (
                "encoder_no_repeat_ngram_size",
                theirs_of.EncoderNoRepeatNGramLogitsProcessor(size, torch.tensor(source)[None]),
            ),
        ):
            expected = process(ids, torch.zeros(1, 3))[0].numpy()
            scores = np.zeros(3, np.float32)
            (ours,) = built({option: size}, source=source.tolist())
            ours(scores, text, 0)
            np.testing.assert_array_equal(scores, expected)


def built(
    options: dict[str, Any], start: int = 5, limit: int = 9, source: Iterable[int] = ()
) -> list[Any]:
    checked = Options.from_options(options, {})
    return processors(checked, VOCAB, ENDS, start=start, limit=limit, source=list(source))


def test_what_is_off_costs_nothing() -> None:
    off = {"repetition_penalty": 1.0, "no_repeat_ngram_size": 0, "encoder_no_repeat_ngram_size": 0}
    assert built(off | {"min_new_tokens": 0, "logit_bias": {}}) == []
    assert built({"min_length": 0}) == built({"min_length": 5}) == []
    assert Options.from_options(off, {}) == Options()


def test_defaults_of_a_bundle_give_way() -> None:
    defaults = {"num_beams": 4, "length_penalty": 2.0, "min_length": 9, "temperature": 0.7}
    found = Options.from_options({}, defaults)
    assert found == Options(num_beams=4, length_penalty=2.0, min_length=9)
    assert Options.from_options({"num_beams": 1}, defaults) == Options(
        temperature=0.7, min_length=9
    )
    assert Options.from_options({"top_k": 5}, defaults).num_beams == 1
    assert Options.from_options({"temperature": 0}, defaults) == Options(min_length=9)
    assert Options.from_options({"length_penalty": 0.5}, defaults).length_penalty == 0.5
    assert Options.from_options({"min_new_tokens": 3}, defaults).min_length is None
    assert Options.from_options({"repetition_penalty": 1}, {"repetition_penalty": 1.5}) == Options()


NO_IDS: list[Any] = []
INVALID: list[dict[str, Any]] = [
    *({"no_repeat_ngram_size": value} for value in (-1, 1.0, True, "2")),
    *({"encoder_no_repeat_ngram_size": value} for value in (-1, 2.5)),
    *({"min_length": value} for value in (-1, 1.5, False)),
    *({"min_new_tokens": value} for value in (-1, "1")),
    *({"max_length": value} for value in (0, -1, 1.5, True)),
    *({"forced_bos_token_id": value} for value in (-1, NO_IDS, "1", True)),
    *({"forced_eos_token_id": value} for value in (-1, [], [True], "1", [-1])),
    *({"suppress_tokens": value} for value in (5, [], "ab", [-1], [1.5], {1: 2})),
    *({"begin_suppress_tokens": value} for value in (5, [None])),
    *({"sequence_bias": value} for value in ([], [[5, 1.0]], [[[5], "1"]], [[[], 1.0]], "ab")),
    *({"encoder_repetition_penalty": value} for value in (0, -1, "1", True)),
    *({"exponential_decay_length_penalty": value} for value in ([3], [-1, 2], [3, 0], [1.5, 2], 5)),
    *({"renormalize_logits": value} for value in (1, "yes")),
    *({"bad_words_ids": value} for value in (NO_IDS, [NO_IDS], [1, 2], "ab", [[1], [-1]], [["a"]])),
]


@pytest.mark.parametrize("options", INVALID, ids=str)
def test_invalid_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(UsageError, match=f"{next(iter(options))} = .*; expected "):
        built(options)


@pytest.mark.parametrize(
    "options",
    [
        {"suppress_tokens": [3, VOCAB]},
        {"begin_suppress_tokens": [10**30]},
        {"bad_words_ids": [[1], [2, VOCAB]]},
        {"forced_eos_token_id": VOCAB},
        {"logit_bias": {VOCAB: 1.0}},
    ],
    ids=str,
)
def test_ids_outside_the_vocabulary(exact: DecoderModel, options: dict[str, Any]) -> None:
    for call in (exact.generate, exact.stream):
        with pytest.raises(
            UsageError, match=rf"{next(iter(options))}: .*outside 0\.\.319"
        ) as caught:
            call(PROMPT, **options)
        assert caught.value.code == "TOKEN_ID"


def test_lengths_that_do_not_go_together(exact: DecoderModel) -> None:
    call: Any
    for options, message in (
        ({"min_new_tokens": 5, "max_new_tokens": 4}, "above max_new_tokens = 4"),
        ({"min_new_tokens": 5, "min_length": 4}, "give one"),
        ({"max_new_tokens": 5, "max_length": 40}, "give one"),
        ({"max_length": 5}, "the prompt has 5 tokens"),
        ({"forced_bos_token_id": 7}, "the prompt has 5 tokens"),
    ):
        for call in (exact.generate, exact.stream):
            with pytest.raises(UsageError, match=message):
                call(PROMPT, **options)
    assert len(exact.generate(PROMPT, max_length=12).tokens) == 7
    assert len(exact.generate(PROMPT, max_length=10**9).tokens) == CONTEXT - 5
    assert exact.generate([7], max_new_tokens=3, forced_bos_token_id=33).tokens[0] == 33
