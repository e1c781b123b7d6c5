"""Generating with a bundle: lengths, ends, figures, options, batches."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import satchel
from satchel.runtime.cache import CHUNK
from satchel.runtime.decoder_model import DecoderModel
from satchel.runtime.errors import LimitError, UsageError
from tests.generating import (
    CONTEXT,
    END,
    OTHER_END,
    PROMPT,
    log_softmax,
    opened,
    readable,
    some_ids,
)
from tests.tiny import VOCAB

pytest_plugins = "tests.chat_bundles"


# Lengths.


@pytest.mark.parametrize(
    ("value", "count"),
    [
        (0, 0),
        (1, 1),
        (np.int64(3), 3),
        (CONTEXT - 6, CONTEXT - 6),
        (CONTEXT - 5, CONTEXT - 5),
        (CONTEXT - 4, CONTEXT - 5),
        (2**31, CONTEXT - 5),
        (10**30, CONTEXT - 5),
        (None, CONTEXT - 5),
    ],
)
def test_max_new_tokens(model: DecoderModel, value: Any, count: int) -> None:
    found = model.generate(PROMPT, max_new_tokens=value)
    assert (len(found.tokens), found.finish_reason) == (count, "length")
    assert len(found.logprobs) == count and found.prompt_tokens == len(PROMPT)
    stream = model.stream(PROMPT, max_new_tokens=value)
    assert "".join(stream) == found.text == stream.result.text
    assert stream.result.tokens == found.tokens


@pytest.mark.parametrize("value", [-1, -(2**40), True, False, 1.0, 0.5, "5", [5], float("nan")])
def test_refused_max_new_tokens(model: DecoderModel, value: Any) -> None:
    for call in (model.generate, model.stream):
        with pytest.raises(UsageError, match="max_new_tokens = "):
            call(PROMPT, max_new_tokens=value)


def test_a_prompt_at_the_edge_of_the_context(model: DecoderModel) -> None:
    ids = some_ids(CONTEXT + 1)
    for limit in (1, 7, None):
        found = model.generate(ids[: CONTEXT - 1], max_new_tokens=limit)
        assert (len(found.tokens), found.finish_reason) == (1, "length")
    assert found.tokens[0] == model.logits(ids[: CONTEXT - 1])[-1].argmax()
    for length in (CONTEXT, CONTEXT + 1):
        for limit in (0, 1, None):
            for call in (model.generate, model.stream):
                with pytest.raises(LimitError, match=f"{length} tokens.*{CONTEXT}") as caught:
                    call(ids[:length], max_new_tokens=limit)
                assert caught.value.code == "PROMPT_TOO_LONG"
    with pytest.raises(LimitError, match=f"{CONTEXT} tokens"):
        model.generate([PROMPT, ids[:CONTEXT]])
    assert model.logits(ids[:CONTEXT]).shape == (CONTEXT, VOCAB)
    with pytest.raises(LimitError, match=f"{CONTEXT + 1} tokens"):
        model.logits(ids)


def test_a_batch_that_fills_the_context(exact: DecoderModel) -> None:
    prompts = [some_ids(CONTEXT - 1), some_ids(CONTEXT - 4), PROMPT]
    rows = exact.generate(prompts, max_new_tokens=9)
    assert [len(row.tokens) for row in rows] == [1, 4, 9]
    assert [row.tokens for row in rows] == [
        exact.generate(prompt, max_new_tokens=9).tokens for prompt in prompts
    ]


def test_a_text_is_let_go_without_the_garbage_collector(model: DecoderModel) -> None:
    """Else its cache, and the session of a model that is gone, would wait for a sweep."""
    gc.disable()
    try:
        run = model.decoder.start()
        run.append([1, 2, 3])
        run.step(np.array([4]))
        gone = weakref.ref(run)
        del run
        assert gone() is None
    finally:
        gc.enable()


def test_the_cache_grows_without_changing_ids(
    model: DecoderModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    grown = model.generate(PROMPT, max_new_tokens=700)  # through 128, 256 and 512
    monkeypatch.setattr("satchel.runtime.cache.FIRST_CAPACITY", CONTEXT)
    once = model.generate(PROMPT, max_new_tokens=700)
    assert grown.tokens == once.tokens
    np.testing.assert_allclose(grown.logprobs, once.logprobs, atol=1e-4)


def test_long_texts_equal_transformers(exact: DecoderModel, checkpoint: Any) -> None:
    with torch.inference_mode():
        theirs = checkpoint[1].generate(
            torch.tensor([PROMPT]), max_new_tokens=300, do_sample=False, eos_token_id=-1
        )
    ours = exact.generate(PROMPT, max_new_tokens=300)
    assert ours.tokens == theirs[0, len(PROMPT) :].tolist()


@pytest.mark.parametrize("length", [1, 126, 127, 128, 129, 255, 256, 257, CHUNK, CHUNK + 1])
def test_prompts_around_the_edges_of_the_cache(exact: DecoderModel, length: int) -> None:
    ids = some_ids(length, seed=length)
    found = exact.generate(ids, max_new_tokens=4)
    whole = exact.logits(ids + found.tokens)
    assert found.tokens == whole.argmax(1)[length - 1 : -1].tolist()


# Ends.


def test_every_end_of_text_is_in_the_manifest(folder: Path) -> None:
    manifest = satchel.load(folder, threads=1).manifest
    assert manifest.tokens.eos == [END, OTHER_END]


def test_several_ends_of_text(model: DecoderModel, folder: Path) -> None:
    plain = model.generate(PROMPT, max_new_tokens=60)
    for places in ([20], [9, 30], [30, 9, 11], [0, 5]):
        ends = tuple(plain.tokens[place] for place in places)
        first = min(plain.tokens.index(token) for token in ends)
        ending = opened(folder, ends)
        found = ending.generate(PROMPT, max_new_tokens=60)
        assert found.tokens == plain.tokens[:first]
        assert found.finish_reason == "eos"
        assert found.logprobs == plain.logprobs[:first]
        assert found.text == model.decode(found.tokens)
        stream = ending.stream(PROMPT, max_new_tokens=60)
        assert "".join(stream) == found.text
        assert stream.result.finish_reason == "eos"


def test_an_end_of_text_at_the_start_and_at_the_limit(model: DecoderModel, folder: Path) -> None:
    plain = model.generate(PROMPT, max_new_tokens=8).tokens
    empty = opened(folder, (plain[0],)).generate(PROMPT, max_new_tokens=5)
    assert (empty.text, empty.tokens, empty.finish_reason) == ("", [], "eos")
    place = next(i for i in range(1, 8) if plain[i] not in plain[:i])
    ending = opened(folder, (plain[place],))
    assert ending.generate(PROMPT, max_new_tokens=place).finish_reason == "length"
    assert ending.generate(PROMPT, max_new_tokens=place + 1).finish_reason == "eos"
    assert ending.generate(PROMPT, max_new_tokens=0).finish_reason == "length"


def test_stop_strings(model: DecoderModel) -> None:
    bias = readable(model)
    plain = model.generate(PROMPT, max_new_tokens=120, logit_bias=bias)
    text = plain.text
    assert len(text) == 120
    for start, length in ((0, 1), (0, 9), (50, 1), (70, 5), (110, 10), (118, 2)):
        stop = text[start : start + length]
        found = model.generate(PROMPT, max_new_tokens=120, logit_bias=bias, stop=stop)
        assert found.text == text[: text.index(stop)] and found.finish_reason == "stop"
        assert found.tokens == plain.tokens[: text.index(stop) + length]
        stream = model.stream(PROMPT, max_new_tokens=120, logit_bias=bias, stop=["~~", stop])
        assert "".join(stream) == found.text and stream.result.finish_reason == "stop"
    for missing in ("~", text[100:] + "~", text[1:120] + "."):
        found = model.generate(PROMPT, max_new_tokens=120, logit_bias=bias, stop=[missing])
        assert (found.text, found.finish_reason) == (text, "length")


def test_an_end_of_text_inside_a_stop_string(model: DecoderModel, folder: Path) -> None:
    bias = readable(model)
    plain = model.generate(PROMPT, max_new_tokens=40, logit_bias=bias)
    place = next(i for i in range(5, 40) if plain.tokens[i] not in plain.tokens[:i])
    ending = opened(folder, (plain.tokens[place],))
    stop = plain.text[place - 3 : place + 2]  # would be complete after the end of text
    found = ending.generate(PROMPT, max_new_tokens=40, logit_bias=bias, stop=stop)
    assert (found.text, found.finish_reason) == (plain.text[:place], "eos")


@pytest.mark.parametrize(
    "stop", ["", [""], ["a", ""], [5], [None], "a" * 257, ["a"] * 17, ["a", b"b"]], ids=repr
)
def test_refused_stop_strings(model: DecoderModel, stop: Any) -> None:
    for call in (model.generate, model.stream):
        with pytest.raises(UsageError, match="stop string"):
            call(PROMPT, stop=stop)


# Figures.


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"temperature": 1.5, "seed": 3},
        {"logit_bias": {7: 30.0}, "repetition_penalty": 1.5},
    ],
    ids=str,
)
def test_logprobs_are_those_of_the_model(exact: DecoderModel, options: dict[str, Any]) -> None:
    found = exact.generate(PROMPT, max_new_tokens=20, **options)
    expected = log_softmax(exact.logits(PROMPT + found.tokens))[len(PROMPT) - 1 : -1]
    chosen = expected[np.arange(20), found.tokens]
    np.testing.assert_allclose(found.logprobs, chosen, atol=1e-3)


@pytest.mark.parametrize("length", [2, 60, CHUNK, CHUNK + 1, CHUNK + 2, CONTEXT])
def test_score_equals_the_loss_of_transformers(
    exact: DecoderModel, checkpoint: Any, length: int
) -> None:
    ids = some_ids(length, seed=3)
    found = exact.score(ids)
    assert found.tokens == ids and found.logprobs.shape == (length - 1,)
    expected = log_softmax(exact.logits(ids))[np.arange(length - 1), ids[1:]]
    np.testing.assert_allclose(found.logprobs, expected, atol=1e-3)
    with torch.inference_mode():
        loss = checkpoint[1](torch.tensor([ids]), labels=torch.tensor([ids])).loss
    assert found.perplexity == pytest.approx(float(loss.exp()), rel=1e-3)


def test_score_of_a_text(model: DecoderModel) -> None:
    assert model.score("hello").tokens == model.encode("hello")
    np.testing.assert_array_equal(
        model.score("hello").logprobs, model.score(model.encode("hello")).logprobs
    )


# Options.


def test_logit_bias_bans_and_forces(model: DecoderModel) -> None:
    plain = model.generate(PROMPT, max_new_tokens=30)
    banned = plain.tokens[0]
    bias = {banned: float("-inf")}
    assert banned not in model.generate(PROMPT, max_new_tokens=30, logit_bias=bias).tokens
    hot = model.generate(PROMPT, max_new_tokens=200, temperature=50.0, seed=0, logit_bias=bias)
    assert banned not in hot.tokens and len(set(hot.tokens)) > 50
    assert model.generate(PROMPT, max_new_tokens=5, logit_bias={9: 1e4}).tokens == [9] * 5
    with pytest.raises(UsageError, match="outside") as caught:
        model.generate(PROMPT, logit_bias={VOCAB: 1.0})
    assert caught.value.code == "TOKEN_ID"


@pytest.mark.parametrize("penalty", [0.6, 1.1, 2.0])
def test_repetition_penalty_equals_transformers(
    exact: DecoderModel, checkpoint: Any, penalty: float
) -> None:
    if exact.manifest.quantization["name"] != "fp32":
        pytest.skip("transformers has the float32 exact")
    with torch.inference_mode():
        theirs = checkpoint[1].generate(
            torch.tensor([PROMPT]),
            max_new_tokens=60,
            do_sample=False,
            repetition_penalty=penalty,
            eos_token_id=-1,
        )
    ours = exact.generate(PROMPT, max_new_tokens=60, repetition_penalty=penalty)
    assert ours.tokens == theirs[0, len(PROMPT) :].tolist()
    assert ours.tokens != exact.generate(PROMPT, max_new_tokens=60).tokens


def test_unknown_and_useless_options(model: DecoderModel) -> None:
    for call in (model.generate, model.stream):
        with pytest.raises(UsageError, match="unknown option 'temprature'"):
            call(PROMPT, temprature=1.0)
        with pytest.raises(UsageError, match="no effect at temperature 0"):
            call(PROMPT, temperature=0, top_p=0.5)


def test_seeds(model: DecoderModel) -> None:
    def sampled(**options: Any) -> list[int]:
        tokens: list[int] = model.generate(PROMPT, max_new_tokens=30, **options).tokens
        return tokens

    assert sampled(seed=1) == sampled(seed=1) != sampled(seed=2)
    assert sampled(temperature=3.0) != sampled(temperature=3.0)
    assert sampled(top_k=1) == sampled()


# Batches.


@pytest.mark.parametrize(
    "options",
    [{}, {"seed": 5, "temperature": 1.3}, {"seed": 6, "top_p": 0.9, "repetition_penalty": 1.2}],
    ids=str,
)
def test_a_row_of_a_batch_equals_its_solo_run(exact: DecoderModel, options: dict[str, Any]) -> None:
    prompts = [some_ids(length, seed=length) for length in (3, 130, 17, 1, 64, 3)]
    together = exact.generate(prompts, max_new_tokens=24, **options)
    for prompt, row in zip(prompts, together, strict=True):
        alone = exact.generate(prompt, max_new_tokens=24, **options)
        assert (row.tokens, row.text, row.finish_reason) == (
            alone.tokens,
            alone.text,
            alone.finish_reason,
        )
        np.testing.assert_allclose(row.logprobs, alone.logprobs, atol=1e-3)


def test_rows_that_finish_at_different_times(exact: DecoderModel, exact_folder: Path) -> None:
    random = np.random.default_rng(8)
    for _ in range(6):
        prompts = [random.integers(0, VOCAB, random.integers(1, 40)).tolist() for _ in range(5)]
        plain = exact.generate(prompts, max_new_tokens=30)
        places = random.permutation([0, 3, 11, 29])
        ends = [row.tokens[place] for row, place in zip(plain, places, strict=False)]
        ending = opened(exact_folder, tuple(ends))
        stop = plain[4].text[6:8] or "~"
        together = ending.generate(prompts, max_new_tokens=30, stop=stop)
        alone = [ending.generate(prompt, max_new_tokens=30, stop=stop) for prompt in prompts]
        assert [(row.tokens, row.text, row.finish_reason) for row in together] == [
            (row.tokens, row.text, row.finish_reason) for row in alone
        ]
        assert len({len(row.tokens) for row in together}) > 1


def test_a_batch_of_one_and_of_texts(exact: DecoderModel) -> None:
    alone = exact.generate("hello", max_new_tokens=6)
    assert exact.generate(["hello"], max_new_tokens=6) == [alone]
    both = exact.generate(["hello", "ab"], max_new_tokens=6)
    assert both[0].tokens == alone.tokens
    assert [row.prompt_tokens for row in both] == [5, 2]
