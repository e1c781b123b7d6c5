"""Beam search: the same texts and scores as transformers, and what an app sees of it."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

import satchel
from satchel.runtime.batch import Generation
from satchel.runtime.decoder_model import DecoderModel
from satchel.runtime.decoder_session import Run
from satchel.runtime.errors import LimitError, SatchelError, UsageError
from tests.beams import Pair
from tests.generating import opened, some_ids
from tests.tiny import VOCAB, save_checkpoint

ARCHITECTURES: dict[str, dict[str, Any]] = {
    "llama": {"num_hidden_layers": 2},
    "gpt2": {"num_key_value_heads": 4},
    "gemma2": {
        "head_dim": 32,
        "query_pre_attn_scalar": 24,
        "num_hidden_layers": 2,
        "sliding_window": 8,
        "final_logit_softcapping": 5.0,
    },
}
PROMPTS = [some_ids(length, seed=length) for length in (7, 2, 19, 1, 12)]


@pytest.fixture(scope="module", params=ARCHITECTURES)
def pair(request: Any, tmp_path_factory: pytest.TempPathFactory) -> Pair:
    folder = tmp_path_factory.mktemp(request.param)
    theirs = save_checkpoint(folder, request.param, **ARCHITECTURES[request.param])
    return Pair(folder, theirs)


@pytest.mark.parametrize("num_beams", [2, 3, 4, 5])
def test_without_an_end(pair: Pair, num_beams: int) -> None:
    pair.assert_equal(PROMPTS, num_beams=num_beams, n_best=num_beams)


@pytest.mark.parametrize("early_stopping", [False, True, "never"])
@pytest.mark.parametrize("length_penalty", [1.0, 0.0, 2.5, -1.5])
def test_early_stopping_and_length_penalty(
    pair: Pair, early_stopping: Any, length_penalty: float
) -> None:
    options = {"early_stopping": early_stopping, "length_penalty": length_penalty}
    lengths = set()
    for bias in (0.0, 2.0, 3.0, 5.0):  # ends that are rare, common and nearly at once
        ends = (5, 9, 200)
        found = pair.assert_equal(
            PROMPTS, ends, 3, dict.fromkeys(ends, bias), num_beams=4, **options
        )
        lengths |= {len(row.tokens) for rows in found for row in rows}
    assert len(lengths) > 2


PROCESSED: dict[str, dict[str, Any]] = {
    "ngram": {"no_repeat_ngram_size": 2},
    "unigram": {"no_repeat_ngram_size": 1},
    "prompt_ngram": {"encoder_no_repeat_ngram_size": 2},
    "repetition": {"repetition_penalty": 1.4},
    "repetition_wanted": {"repetition_penalty": 0.7},
    "min_new": {"min_new_tokens": 6},
    "min_length": {"min_length": 24},
    "suppressed": {"suppress_tokens": [4, 60, 18, 7, 15]},
    "suppressed_first": {"begin_suppress_tokens": list(range(100))},
    "forced_end": {"forced_eos_token_id": 9},
    "forced_ends": {"forced_eos_token_id": [9, 200]},
    "bad_words": {"bad_words_ids": [[7], [60, 18], [5], [4, 18, 4]]},
    "all": {
        "no_repeat_ngram_size": 3,
        "repetition_penalty": 1.2,
        "min_new_tokens": 3,
        "suppress_tokens": [1, 2, 3],
        "begin_suppress_tokens": [60, 61],
        "forced_eos_token_id": 9,
        "bad_words_ids": [[40], [41, 42]],
        "length_penalty": 0.6,
        "early_stopping": True,
    },
}


@pytest.mark.parametrize("name", PROCESSED)
def test_processors(pair: Pair, name: str) -> None:
    ends, differ, common = (5, 9, 200), False, [4, 7, 18, 40, 60]
    random = np.random.default_rng(0)
    prompts = [random.choice(common, 12).tolist() for _ in range(3)]
    for bias in (0.0, 3.0, 6.0):
        changes = dict.fromkeys(ends, bias) | dict.fromkeys(common, 4.0)
        plain = pair.assert_equal(prompts, ends, 4, changes, num_beams=4)
        found = pair.assert_equal(prompts, ends, 4, changes, num_beams=4, **PROCESSED[name])
        differ = differ or found != plain
    assert differ  # the option does something


def test_forced_first(pair: Pair) -> None:
    found = pair.assert_equal([[5], [9], [5]], (7,), 2, num_beams=3, forced_bos_token_id=33)
    assert all(row.tokens[0] == 33 for rows in found for row in rows)
    options: dict[str, Any] = {
        "forced_bos_token_id": 33,
        "begin_suppress_tokens": list(range(0, VOCAB, 2)),
    }
    found = pair.assert_equal([[5], [9], [5]], (7,), 2, num_beams=3, **options)
    assert all(row.tokens[0] == 33 and row.tokens[1] % 2 for rows in found for row in rows)


# What an app sees.


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> DecoderModel:
    folder = tmp_path_factory.mktemp("model")
    return opened(Pair(folder, save_checkpoint(folder, "llama")).bundle, (5, 9, 200))


def test_results(model: DecoderModel) -> None:
    options: dict[str, Any] = {"num_beams": 4, "max_new_tokens": 12}
    best = model.generate(PROMPTS[0], **options)
    assert best.text == model.decode(best.tokens) and best.prompt_tokens == len(PROMPTS[0])
    assert best.logprobs == [] and isinstance(best.score, float)
    three: Any = model.generate(PROMPTS[0], n_best=3, **options)
    assert [type(row) for row in three] == [Generation] * 3 and three[0] == best
    assert three[0].score >= three[1].score >= three[2].score
    assert len({tuple(row.tokens) for row in three}) == 3
    rows = model.generate(["ab", "cde"], n_best=2, **options)
    assert [len(row) for row in rows] == [2, 2]
    assert model.generate(["ab", "cde"], **options) == [row[0] for row in rows]
    assert rows[0][0].prompt_tokens == 2 and rows[1][0].prompt_tokens == 3
    greedy = model.generate(PROMPTS[0], num_beams=1, n_best=1, max_new_tokens=12)
    assert greedy == [model.generate(PROMPTS[0], max_new_tokens=12)]
    assert greedy[0].score is None and greedy[0].logprobs


def test_a_source_is_searched_as_if_alone(model: DecoderModel) -> None:
    """Also when others end before or after it, and leave the batch."""
    for bias in (0.0, 2.5, 3.0, 4.0):
        options: dict[str, Any] = {"num_beams": 3, "n_best": 3, "max_new_tokens": 40}
        options["logit_bias"] = dict.fromkeys((5, 9, 200), bias)
        together = model.generate(PROMPTS, **options)
        for prompt, rows in zip(PROMPTS, together, strict=True):
            alone = model.generate(prompt, **options)
            assert [row.tokens for row in rows] == [row.tokens for row in alone]
            found: Any = [row.score for row in rows]
            scores: Any = [row.score for row in alone]
            np.testing.assert_allclose(found, scores, atol=1e-4)


def test_a_finished_source_leaves_the_batch(
    model: DecoderModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, batches = Run.step, []

    def counted(self: Run, tokens: Any, active: Any = None) -> Any:
        batches.append(len(tokens))
        return step(self, tokens, active)

    monkeypatch.setattr(Run, "step", counted)
    bias = dict.fromkeys((5, 9, 200), 3.0)
    model.generate(PROMPTS, num_beams=3, max_new_tokens=30, logit_bias=bias)
    assert batches[0] == 15 and batches[-1] < 15
    assert sorted(batches, reverse=True) == batches and not any(size % 3 for size in batches)


def test_the_cache_grows_and_the_context_ends(model: DecoderModel) -> None:
    context = model.manifest.context
    prompts = [some_ids(context - 3), some_ids(context // 2), some_ids(4)]
    options: dict[str, Any] = {
        "num_beams": 3,
        "n_best": 2,
        "logit_bias": dict.fromkeys((5, 9, 200), -np.inf),
    }
    rows = model.generate(prompts, max_new_tokens=context // 2 + 2, **options)
    assert [len(row[0].tokens) for row in rows] == [3, context // 2, context // 2 + 2]
    assert rows[2] == model.generate(prompts[2], max_length=context // 2 + 6, **options)
    assert all(row.finish_reason == "length" for both in rows for row in both)
    with pytest.raises(LimitError, match=f"{context} tokens"):
        model.generate([prompts[0], some_ids(context)], **options)


def test_no_new_tokens(model: DecoderModel) -> None:
    for rows in model.generate(PROMPTS, num_beams=2, n_best=2, max_new_tokens=0):
        assert [(row.tokens, row.score, row.finish_reason) for row in rows] == [([], 0, "length")]


def test_fewer_texts_than_asked_for(model: DecoderModel) -> None:
    """Where the options leave fewer; transformers fills up with texts that are none."""
    allowed = {token: float("-inf") for token in range(VOCAB) if token not in (1, 2)}
    found = model.generate("a", num_beams=5, n_best=5, max_new_tokens=1, logit_bias=allowed)
    assert sorted(row.tokens for row in found) == [[1], [2]]
    found = model.generate("a", num_beams=5, n_best=5, max_new_tokens=2, logit_bias=allowed)
    assert sorted(row.tokens for row in found) == [[1, 1], [1, 2], [2, 1], [2, 2]]
    with pytest.raises(SatchelError, match="the options leave no id") as caught:
        model.generate("a", num_beams=2, suppress_tokens=list(range(VOCAB)))
    assert caught.value.code == "NUMERIC_ERROR"


def test_cancelling(model: DecoderModel, monkeypatch: pytest.MonkeyPatch) -> None:
    options: dict[str, Any] = {"num_beams": 3, "n_best": 2, "max_new_tokens": 20}
    options["logit_bias"] = dict.fromkeys((5, 9, 200), -np.inf)
    cancel = satchel.Cancel()
    cancel.cancel()
    for rows in model.generate(PROMPTS, cancel=cancel, **options):
        assert [(row.text, row.tokens, row.finish_reason) for row in rows] == [
            ("", [], "cancelled")
        ]
    whole = model.generate(PROMPTS, **options)
    cancel, step, steps = satchel.Cancel(), Run.step, iter(range(100))

    def cancelling(self: Run, tokens: Any, active: Any = None) -> Any:
        if next(steps) == 6:
            cancel.cancel()
        return step(self, tokens, active)

    with monkeypatch.context() as patched:
        patched.setattr(Run, "step", cancelling)
        for rows in model.generate(PROMPTS, cancel=cancel, **options):
            assert [(len(row.tokens), row.finish_reason) for row in rows] == [(7, "cancelled")] * 2
    assert model.generate(PROMPTS, **options) == whole


REFUSED: list[tuple[dict[str, Any], str]] = [
    ({"num_beams": 0}, "num_beams = 0"),
    ({"num_beams": 1.5}, "num_beams = "),
    ({"num_beams": True}, "num_beams = "),
    ({"num_beams": VOCAB + 1}, f"the vocabulary has {VOCAB}"),
    ({"num_beams": 3, "n_best": 4}, "n_best = 4 needs num_beams"),
    ({"n_best": 2}, "n_best = 2 needs num_beams"),
    ({"num_beams": 2, "n_best": 0}, "n_best = "),
    ({"length_penalty": 1.0}, "length_penalty has no effect"),
    ({"num_beams": 1, "length_penalty": 2.0}, "length_penalty has no effect"),
    ({"num_beams": 2, "length_penalty": float("nan")}, "length_penalty = "),
    ({"num_beams": 2, "length_penalty": "1"}, "length_penalty = "),
    ({"early_stopping": False}, "early_stopping has no effect"),
    ({"num_beams": 2, "early_stopping": "always"}, "early_stopping = "),
    ({"num_beams": 2, "early_stopping": 1}, "early_stopping = "),
    ({"num_beams": 2, "temperature": 0.7}, "temperature does not go with num_beams = 2"),
    ({"num_beams": 2, "temperature": 0}, "temperature does not go with num_beams = 2"),
    ({"num_beams": 2, "top_k": 5}, "top_k does not go with num_beams = 2"),
    ({"num_beams": 2, "seed": 5}, "seed does not go with num_beams = 2"),
    ({"num_beams": 2, "stop": "a"}, "stop does not go with num_beams = 2"),
    ({"num_beams": 2, "num_return_sequences": 2}, "unknown option"),
]


@pytest.mark.parametrize(("options", "message"), REFUSED, ids=str)
def test_options_that_do_not_apply(
    model: DecoderModel, options: dict[str, Any], message: str
) -> None:
    with pytest.raises(UsageError, match=message):
        model.generate(PROMPTS, **options)


def test_beams_do_not_stream(model: DecoderModel) -> None:
    messages = [{"role": "user", "content": "hi"}]
    call: Any
    for options in ({"num_beams": 3}, {"n_best": 1}):
        for call in (model.stream, model.chat, model.chat_stream):
            with pytest.raises(UsageError, match="cannot be streamed"):
                call("hello" if call == model.stream else messages, **options)
