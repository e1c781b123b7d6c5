"""Generating with a bundle: lengths, ids, ends, options, threads, cancelling, conversations."""

from __future__ import annotations

import dataclasses
import gc
import json
import shutil
import threading
import time
import weakref
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import satchel
from satchel.runtime.decoder import CHUNK, Cancel, Run
from satchel.runtime.errors import LimitError, SatchelError, UsageError
from satchel.runtime.model import DecoderModel
from tests.tiny import VOCAB, byte_tokenizer, save_checkpoint

CONTEXT = 1100  # beyond a chunk of a prefill and four sizes of the cache
END, OTHER_END = 257, 300
CHATML = (
    "{% for m in messages %}<|im_start|>{{ m.role }}\n{{ m.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
PROMPT = [5, 77, 200, 3, 18]


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """(folder, transformers model) of a chat model with two ends of text."""
    folder = tmp_path_factory.mktemp("checkpoint")
    theirs = save_checkpoint(folder, "llama", max_position_embeddings=CONTEXT, num_hidden_layers=2)
    tokenizer = byte_tokenizer()
    tokenizer.add_special_tokens(["<|im_start|>", "<|im_end|>"])
    tokenizer.save(str(folder / "tokenizer.json"))
    config = {"chat_template": CHATML, "eos_token": "<|im_end|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(config))
    ends = {"eos_token_id": [END, OTHER_END]}
    (folder / "generation_config.json").write_text(json.dumps(ends))
    return folder, theirs


@pytest.fixture(scope="module")
def packed(checkpoint: Any, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """The bundle of a precision, made when it is asked for."""
    out = tmp_path_factory.mktemp("bundles")

    def bundle(precision: str) -> Path:
        if not (out / precision).exists():
            # A model of noise need not pass the checks of quality.
            satchel.pack(checkpoint[0], out / precision, precision=precision, force=True)
        return out / precision

    return bundle


@pytest.fixture(scope="module", params=["fp32", "int8"])
def folder(request: Any, packed: Callable[[str], Path]) -> Path:
    return packed(request.param)


@pytest.fixture(scope="module")
def exact_folder(packed: Callable[[str], Path]) -> Path:
    """For comparing two ways to the same position, which int8 rounds apart now and then."""
    return packed("fp32")


def opened(folder: Path, ends: tuple[int, ...] = ()) -> DecoderModel:
    """The bundle with other ends of text."""
    model = satchel.load(folder, threads=1)
    tokens = dataclasses.replace(model.manifest.tokens, eos=list(ends))
    model.manifest = dataclasses.replace(model.manifest, tokens=tokens)
    return model


@pytest.fixture(scope="module")
def model(folder: Path) -> DecoderModel:
    return opened(folder)


@pytest.fixture(scope="module")
def exact(exact_folder: Path) -> DecoderModel:
    return opened(exact_folder)


def some_ids(length: int, seed: int = 0) -> list[int]:
    return np.random.default_rng(seed).integers(0, VOCAB, length).tolist()


def readable(model: DecoderModel) -> dict[int, float]:
    """A bias that leaves the letters and a few signs."""
    letters = "abcdefghijklmnopqrstuvwxyz ABCDEFGHIJKLMNOPQRSTUVWXYZ.,!?-+*"
    kept = set(model.encode(letters))
    return {token: float("-inf") for token in range(VOCAB) if token not in kept}


def log_softmax(logits: np.ndarray) -> np.ndarray:
    return torch.tensor(logits, dtype=torch.float64).log_softmax(-1).numpy()


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
def test_d03_max_new_tokens(model: DecoderModel, value: Any, count: int) -> None:
    found = model.generate(PROMPT, max_new_tokens=value)
    assert (len(found.tokens), found.finish_reason) == (count, "length")
    assert len(found.logprobs) == count and found.prompt_tokens == len(PROMPT)
    stream = model.stream(PROMPT, max_new_tokens=value)
    assert "".join(stream) == found.text == stream.result.text
    assert stream.result.tokens == found.tokens


@pytest.mark.parametrize("value", [-1, -(2**40), True, False, 1.0, 0.5, "5", [5], float("nan")])
def test_d03_refused_max_new_tokens(model: DecoderModel, value: Any) -> None:
    for call in (model.generate, model.stream):
        with pytest.raises(UsageError, match="max_new_tokens = "):
            call(PROMPT, max_new_tokens=value)


def test_d02_a_prompt_at_the_edge_of_the_context(model: DecoderModel) -> None:
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


def test_d02_a_batch_that_fills_the_context(exact: DecoderModel) -> None:
    prompts = [some_ids(CONTEXT - 1), some_ids(CONTEXT - 4), PROMPT]
    rows = exact.generate(prompts, max_new_tokens=9)
    assert [len(row.tokens) for row in rows] == [1, 4, 9]
    assert [row.tokens for row in rows] == [
        exact.generate(prompt, max_new_tokens=9).tokens for prompt in prompts
    ]


def test_d04_the_cache_grows_without_changing_ids(
    model: DecoderModel, monkeypatch: pytest.MonkeyPatch
) -> None:
    grown = model.generate(PROMPT, max_new_tokens=700)  # through 128, 256 and 512
    monkeypatch.setattr("satchel.runtime.cache.FIRST_CAPACITY", CONTEXT)
    once = model.generate(PROMPT, max_new_tokens=700)
    assert grown.tokens == once.tokens
    np.testing.assert_allclose(grown.logprobs, once.logprobs, atol=1e-4)


def test_d04_long_texts_equal_transformers(exact: DecoderModel, checkpoint: Any) -> None:
    with torch.inference_mode():
        theirs = checkpoint[1].generate(
            torch.tensor([PROMPT]), max_new_tokens=300, do_sample=False, eos_token_id=-1
        )
    ours = exact.generate(PROMPT, max_new_tokens=300)
    assert ours.tokens == theirs[0, len(PROMPT) :].tolist()


@pytest.mark.parametrize("length", [1, 126, 127, 128, 129, 255, 256, 257, CHUNK, CHUNK + 1])
def test_d04_prompts_around_the_edges(exact: DecoderModel, length: int) -> None:
    ids = some_ids(length, seed=length)
    found = exact.generate(ids, max_new_tokens=4)
    whole = exact.logits(ids + found.tokens)
    assert found.tokens == whole.argmax(1)[length - 1 : -1].tolist()


# Prompts.


@pytest.mark.parametrize(
    ("ids", "place"),
    [
        ([-1], 0),
        ([1, 2, VOCAB], 2),
        ([1, 2**63], 1),
        ([1, 10**30], 1),
        ([-(2**63), 1], 0),
        ([1.0, 2.0], 0),
        ([1, 2, 3.5], 2),
        ([5, None], 1),
        ([1, "2"], 1),
        ([True, False], 0),
        ([1, [2]], 1),
        ([1, [2, 3], [4]], 1),
        (np.array([1, 2, -3]), 2),
        (np.array([1.0, 2.0]), 0),
        (np.array([2**63], np.uint64), 0),
        ([1, float("nan")], 1),
    ],
    ids=str,
)
def test_d05_ids_that_the_model_does_not_have(model: DecoderModel, ids: Any, place: int) -> None:
    run: list[Callable[[Any], Any]] = [model.generate, model.stream, model.logits, model.decode]
    run += [model.score, lambda prompt: model.generate([PROMPT, prompt], max_new_tokens=0)]
    for call in run:
        with pytest.raises(UsageError, match=f"at index {place} ") as caught:
            call(ids)
        assert caught.value.code == "TOKEN_ID" and len(str(caught.value)) < 200


@pytest.mark.parametrize("prompt", [None, 5, 1.5, b"bytes", bytearray(b"ab")], ids=str)
def test_d05_what_is_no_prompt(model: DecoderModel, prompt: Any) -> None:
    for call in (model.generate, model.stream, model.logits, model.score):
        with pytest.raises(UsageError, match="expected a text or a list of ids"):
            call(prompt)


@pytest.mark.parametrize("prompt", ["", [], (), np.array([]), np.zeros((0,), np.int64)], ids=repr)
def test_d01_an_empty_prompt(model: DecoderModel, prompt: Any) -> None:
    run = [model.generate, model.stream, model.logits, model.score]
    run += [lambda prompt: model.generate([PROMPT, prompt])]
    for call in run:
        with pytest.raises(UsageError) as caught:
            call(prompt)
        assert caught.value.code == "EMPTY_PROMPT"
    with pytest.raises(UsageError, match="at least two"):
        model.score([1])
    assert model.decode([]) == ""


def test_d05_any_sequence_of_integers_is_a_prompt(model: DecoderModel) -> None:
    expected = model.generate(PROMPT, max_new_tokens=5)
    wide = np.array([PROMPT, PROMPT]).T.repeat(2, axis=0)
    for ids in (
        tuple(PROMPT),
        np.array(PROMPT),
        np.array(PROMPT, np.int32),
        np.array(PROMPT, np.uint8),
        np.array(PROMPT, np.uint64),
        wide[::2, 1],
        [np.int64(token) for token in PROMPT],
        torch.tensor(PROMPT),
    ):
        assert model.generate(ids, max_new_tokens=5) == expected
        assert model.decode(ids) == model.decode(PROMPT)
    rows = model.generate(np.array([PROMPT, PROMPT]), max_new_tokens=5)
    assert rows == [expected, expected]
    assert model.generate(range(5), max_new_tokens=2).prompt_tokens == 5


@pytest.mark.parametrize("text", ["\ud800", "fine until \udc00 here"])
def test_c11_a_lone_surrogate(model: DecoderModel, text: str) -> None:
    messages = [{"role": "user", "content": text}]
    run: list[Callable[[], Any]] = [
        lambda: model.generate(text),
        lambda: model.generate(["fine", text]),
        lambda: model.stream(text),
        lambda: model.logits(text),
        lambda: model.encode(text),
    ]
    for call in run:
        with pytest.raises(UsageError, match="lone surrogate") as caught:
            call()
        assert caught.value.code == "PROMPT_ENCODING"
    with pytest.raises(UsageError, match="surrogate"):
        model.chat(messages)


@pytest.mark.parametrize("letter", ["a", " ", "\0", "é", "🙂", "\n"])
def test_c03_a_million_characters_are_refused_at_once(model: DecoderModel, letter: str) -> None:
    text = letter * 1_000_000
    start = time.perf_counter()
    run: list[Callable[[], Any]] = [
        lambda: model.generate(text),
        lambda: model.stream(text),
        lambda: model.generate(["a", text]),
        lambda: model.score(text),
        lambda: model.chat([{"role": "user", "content": text}]),
        lambda: model.chat([{"role": "user", "content": text[:2000]}] * 500),
    ]
    for call in run:
        with pytest.raises(LimitError) as caught:
            call()
        assert caught.value.code == "PROMPT_TOO_LONG" and len(str(caught.value)) < 200
    assert time.perf_counter() - start < 2


def test_c11_nul_is_text(model: DecoderModel) -> None:
    assert model.decode(model.encode("a\0b")) == "a\0b"
    assert model.generate("a\0b", max_new_tokens=2).prompt_tokens == 3


@pytest.mark.parametrize(
    "messages",
    [None, 5, "hi", ["hi"], [None], [], {}, [{"role": "user"}], [{"content": "a"}]],
    ids=repr,
)
def test_messages_that_are_none(model: DecoderModel, messages: Any) -> None:
    for call in (model.chat, model.chat_stream, model.encode_chat):
        with pytest.raises(UsageError, match="message"):
            call(messages)


# Ends.


def test_a24_every_end_of_text_is_in_the_manifest(folder: Path) -> None:
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


def test_d12_an_end_of_text_at_the_start_and_at_the_limit(
    model: DecoderModel, folder: Path
) -> None:
    plain = model.generate(PROMPT, max_new_tokens=8).tokens
    empty = opened(folder, (plain[0],)).generate(PROMPT, max_new_tokens=5)
    assert (empty.text, empty.tokens, empty.finish_reason) == ("", [], "eos")
    place = next(i for i in range(1, 8) if plain[i] not in plain[:i])
    ending = opened(folder, (plain[place],))
    assert ending.generate(PROMPT, max_new_tokens=place).finish_reason == "length"
    assert ending.generate(PROMPT, max_new_tokens=place + 1).finish_reason == "eos"
    assert ending.generate(PROMPT, max_new_tokens=0).finish_reason == "length"


def test_d11_stop_strings(model: DecoderModel) -> None:
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


def test_d12_an_end_of_text_inside_a_stop_string(model: DecoderModel, folder: Path) -> None:
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
def test_d11_refused_stop_strings(model: DecoderModel, stop: Any) -> None:
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


def test_d08_unknown_and_useless_options(model: DecoderModel) -> None:
    for call in (model.generate, model.stream):
        with pytest.raises(UsageError, match="unknown option 'temprature'"):
            call(PROMPT, temprature=1.0)
        with pytest.raises(UsageError, match="no effect at temperature 0"):
            call(PROMPT, temperature=0, top_p=0.5)


def test_d08_seeds(model: DecoderModel) -> None:
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
def test_d06_a_row_of_a_batch_equals_its_solo_run(
    exact: DecoderModel, options: dict[str, Any]
) -> None:
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


def test_d06_rows_that_finish_at_different_times(exact: DecoderModel, exact_folder: Path) -> None:
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


# Cancelling, dropping, failing.


@pytest.fixture(scope="module")
def long(model: DecoderModel) -> Any:
    """The Generation that the tests below interrupt."""
    return model.generate(PROMPT, max_new_tokens=None)


def assert_as_fresh(model: DecoderModel, long: Any) -> None:
    found = model.generate(PROMPT, max_new_tokens=40)
    assert found.tokens == long.tokens[:40] and found.finish_reason == "length"
    np.testing.assert_array_equal(found.logprobs, long.logprobs[:40])


def test_d13_cancel_before_the_first_token(model: DecoderModel, long: Any) -> None:
    stream = model.stream(PROMPT, max_new_tokens=None)
    stream.cancel()
    assert list(stream) == []
    assert (stream.result.finish_reason, stream.result.tokens) == ("cancelled", [])
    cancel = Cancel()
    cancel.cancel()
    for prompts in (PROMPT, [PROMPT, PROMPT]):
        rows = model.generate(prompts, cancel=cancel)
        for row in rows if isinstance(rows, list) else [rows]:
            assert (row.finish_reason, row.tokens, row.text) == ("cancelled", [], "")
    assert_as_fresh(model, long)


def test_d13_cancel_between_two_pieces_from_another_thread(model: DecoderModel, long: Any) -> None:
    for after in (1, 5, 40):
        stream = model.stream(PROMPT, max_new_tokens=None)
        text = "".join(next(stream) for _ in range(after))
        count = len(stream._batch.rows[0].tokens)
        thread = threading.Thread(target=stream.cancel)
        thread.start()
        thread.join()
        text += "".join(stream)
        assert stream.result.finish_reason == "cancelled"
        assert stream.result.tokens == long.tokens[:count]  # not one step more
        assert stream.result.text == text == model.decode(long.tokens[:count])
        assert_as_fresh(model, long)


def test_d13_cancel_at_any_time(model: DecoderModel, long: Any) -> None:
    random, reasons = np.random.default_rng(0), []
    start = time.perf_counter()
    model.generate(PROMPT, max_new_tokens=None)
    whole = time.perf_counter() - start
    for _ in range(15):
        cancel = Cancel()
        timer = threading.Timer(random.uniform(0, whole), cancel.cancel)
        timer.start()
        found = model.generate(PROMPT, max_new_tokens=None, cancel=cancel)
        timer.cancel()
        timer.join()
        reasons.append(found.finish_reason)
        assert found.tokens == long.tokens[: len(found.tokens)]
        assert found.text == model.decode(found.tokens)
        assert len(found.tokens) == len(found.logprobs)
        assert (found.finish_reason == "length") == (len(found.tokens) == len(long.tokens))
    assert reasons.count("cancelled") > 2
    assert_as_fresh(model, long)


def test_d13_cancel_late_and_twice(model: DecoderModel, long: Any) -> None:
    stream = model.stream(PROMPT, max_new_tokens=3)
    text = "".join(stream)
    stream.cancel()
    stream.cancel()
    assert list(stream) == []
    assert stream.result.finish_reason == "length" and stream.result.text == text
    assert_as_fresh(model, long)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, GeneratorExit, MemoryError])
def test_d14_an_exception_in_the_consumer(
    model: DecoderModel, long: Any, error: type[BaseException]
) -> None:
    for start in (model.stream, chat_of(model)):
        with pytest.raises(error):
            for _ in start(PROMPT, max_new_tokens=50):
                raise error
        assert_as_fresh(model, long)


def chat_of(model: DecoderModel) -> Callable[..., Any]:
    """A stream of a conversation, taking ids as a stream of a prompt does."""

    def start(ids: list[int], **options: Any) -> Any:
        return model.chat_stream([{"role": "user", "content": "hello"}], **options)

    return start


def test_d15_a_dropped_stream_leaves_nothing(model: DecoderModel, long: Any) -> None:
    threads = threading.active_count()
    gc.disable()
    try:
        for start in (model.stream, chat_of(model)):
            for read in (0, 3):
                stream = start(PROMPT, max_new_tokens=50)
                for _ in range(read):
                    next(stream)
                batch = stream._batch
                left = weakref.ref(batch)
                del stream, batch
                assert left() is None  # at once, with all its memory
                assert not model._conversation_lock.locked()
    finally:
        gc.enable()
    assert threading.active_count() == threads
    assert_as_fresh(model, long)


def test_d15_a_result_needs_the_end(model: DecoderModel) -> None:
    stream = model.stream(PROMPT, max_new_tokens=4, logit_bias=readable(model))
    for _ in range(2):
        with pytest.raises(UsageError, match="still being generated"):
            _ = stream.result
        next(stream)
    rest = list(stream)
    assert stream.result.text.endswith("".join(rest)) and len(stream.result.tokens) == 4
    assert list(stream) == []


def test_d14_generating_inside_a_stream(model: DecoderModel) -> None:
    plain = "".join(model.stream(PROMPT, max_new_tokens=12))
    other = model.generate("other", max_new_tokens=12)
    text = ""
    for piece in model.stream(PROMPT, max_new_tokens=12):
        text += piece
        assert model.generate("other", max_new_tokens=12) == other
    assert text == plain


def test_d07_logits_that_stop_being_finite(
    model: DecoderModel, long: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, calls = Run.step, iter(range(100))

    def broken(self: Run, tokens: Any, active: Any) -> Any:
        logits = step(self, tokens, active)
        return logits if next(calls) < 3 else logits * np.float32("nan")

    with monkeypatch.context() as patched:
        patched.setattr(Run, "step", broken)
        stream, pieces = model.stream(PROMPT, max_new_tokens=20), []
        with pytest.raises(SatchelError, match="not finite") as caught:
            pieces.extend(stream)
        assert caught.value.code == "NUMERIC_ERROR"
        assert stream.result.tokens == long.tokens[:4]
    assert_as_fresh(model, long)


def test_d17_the_folder_may_go_after_loading(folder: Path, tmp_path: Path, long: Any) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    loaded = opened(copy)
    shutil.rmtree(copy)
    assert_as_fresh(loaded, long)


# Threads.


def test_d16_threads_give_the_serial_results(exact: DecoderModel) -> None:
    def work(seed: int) -> tuple[Any, ...]:
        ids = some_ids(5 + 20 * seed, seed=seed)
        options = {"temperature": 1.0, "seed": seed} if seed % 2 else {}
        batch = exact.generate([ids, PROMPT], max_new_tokens=30, **options)
        streamed = exact.stream(ids, max_new_tokens=30, **options)
        chatted = exact.chat([{"role": "user", "content": str(seed)}], max_new_tokens=30)
        return (
            exact.generate(ids, max_new_tokens=30, **options).tokens,
            [row.tokens for row in batch],
            "".join(streamed),
            chatted.tokens,
        )

    serial = [work(seed) for seed in range(8)]
    with ThreadPoolExecutor(4) as pool:
        for _ in range(3):
            assert list(pool.map(work, range(8))) == serial


# Conversations.


@pytest.fixture
def fed(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """How many positions each call of a prompt was given."""
    append, counts = Run.append, []

    def counted(self: Run, tokens: Any, every: bool = False) -> Any:
        counts.append(len(tokens))
        return append(self, tokens, every)

    monkeypatch.setattr(Run, "append", counted)
    return counts


def user(*texts: str) -> list[dict[str, str]]:
    """Turns of a user and, in between, of the assistant."""
    roles = ("user", "assistant")
    return [{"role": roles[i % 2], "content": text} for i, text in enumerate(texts)]


def test_d20_a_conversation_keeps_its_cache(exact_folder: Path, fed: list[int]) -> None:
    model, bias = opened(exact_folder), readable(opened(exact_folder))
    options: dict[str, Any] = {"max_new_tokens": 20, "logit_bias": bias}
    first = model.chat(user("Hello there"), **options)
    ids = model.encode_chat(user("Hello there"))
    assert fed == [len(ids)] and len(first.text) == 20
    turns = user("Hello there", first.text, "And now?")
    second = model.chat(turns, **options)
    both = model.encode_chat(turns)
    assert both[: len(ids) + 20] == ids + first.tokens
    assert fed[1:] == [len(both) - len(ids) - 19]  # the last id of an answer was not run
    assert second == opened(exact_folder).chat(turns, **options)
    assert second.text == model.generate(both, **options).text
    assert len(fed) == 4


def test_d20_the_same_and_shorter_conversations(exact_folder: Path, fed: list[int]) -> None:
    model = opened(exact_folder)
    first = model.chat(user("One"), max_new_tokens=30)
    assert model.chat(user("One"), max_new_tokens=30) == first
    assert fed[1:] == [1]  # the last id must be run to have its logits
    short = model.chat(user("O"), max_new_tokens=30)
    assert short == opened(exact_folder).chat(user("O"), max_new_tokens=30)
    assert model.chat(user("One"), max_new_tokens=30) == first


def test_d20_interleaved_conversations(exact_folder: Path) -> None:
    model, options = opened(exact_folder), {"max_new_tokens": 40}
    a, b = user("Tell me a story"), user("Tell me a joke, please, and make it short")
    first = [model.chat(turns, **options) for turns in (a, b)]
    for _ in range(3):
        assert [model.chat(turns, **options) for turns in (a, b)] == first
    for seed in (1, 2, 1):
        sampled = model.chat(a, seed=seed, **options)
        assert sampled == opened(exact_folder).chat(a, seed=seed, **options)
        assert model.generate(PROMPT, max_new_tokens=3).prompt_tokens == len(PROMPT)
    assert [opened(exact_folder).chat(turns, **options) for turns in (a, b)] == first


def test_d04_a_conversation_grows_its_cache(exact_folder: Path) -> None:
    model, bias = opened(exact_folder), readable(opened(exact_folder))
    texts = ["start"]
    for length in (30, 90, 120, 260, 300):  # past 128, 256 and 512 in and between turns
        options: dict[str, Any] = {"max_new_tokens": length, "logit_bias": bias}
        found = model.chat(user(*texts), **options)
        assert found == opened(exact_folder).chat(user(*texts), **options)
        texts += [found.text, "next"]


def test_d13_a_cancelled_answer_leaves_the_conversation_usable(exact_folder: Path) -> None:
    model, fresh = opened(exact_folder), opened(exact_folder)
    expected = fresh.chat(user("Hello"), max_new_tokens=60)
    for after in (0, 1, 7):
        stream = model.chat_stream(user("Hello"), max_new_tokens=60)
        for _ in range(after):
            next(stream)
        stream.cancel()
        list(stream)
        assert stream.result.finish_reason == "cancelled"
        assert model.chat(user("Hello"), max_new_tokens=60) == expected
    random = np.random.default_rng(1)
    for _ in range(10):
        stream = model.chat_stream(user("Hello"), max_new_tokens=None)
        timer = threading.Timer(random.uniform(0, 0.03), stream.cancel)
        timer.start()
        list(stream)
        timer.join()
        assert model.chat(user("Hello"), max_new_tokens=60) == expected


def test_d14_a_failed_answer_leaves_the_conversation_usable(
    exact_folder: Path, fed: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = opened(exact_folder)
    expected = model.chat(user("Hello"), max_new_tokens=30)
    stream = model.chat_stream(user("Hello"), max_new_tokens=30)
    with pytest.raises(ZeroDivisionError):
        for index, _ in enumerate(stream):
            1 // (3 - index)
    # While someone still holds the stream, others get a cache of their own.
    fed.clear()
    assert model.chat(user("Hello"), max_new_tokens=30) == expected
    assert fed == [expected.prompt_tokens]
    del stream
    fed.clear()
    assert model.chat(user("Hello"), max_new_tokens=30) == expected
    assert fed == [1]


def test_d14_chatting_inside_an_answer(exact_folder: Path) -> None:
    model = opened(exact_folder)
    expected = [model.chat(user(text), max_new_tokens=15) for text in ("Outer", "Inner")]
    text = ""
    stream = model.chat_stream(user("Outer"), max_new_tokens=15)
    for piece in stream:
        text += piece
        assert model.chat(user("Inner"), max_new_tokens=15) == expected[1]
    assert stream.result == expected[0] and text == expected[0].text


def test_a_conversation_beyond_the_context(exact_folder: Path) -> None:
    model = opened(exact_folder)
    turns = user("x" * (CONTEXT - 200))
    found = model.chat(turns)
    assert found.prompt_tokens + len(found.tokens) == CONTEXT
    assert found.finish_reason == "length"
    with pytest.raises(LimitError, match="shorten it") as caught:
        model.chat(user("x" * CONTEXT))
    assert caught.value.code == "PROMPT_TOO_LONG"
    assert model.chat(turns) == found
