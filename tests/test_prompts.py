"""What a prompt may be: ids, texts, messages, and what is refused."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
import torch

from satchel.runtime.decoder_model import DecoderModel
from satchel.runtime.errors import LimitError, UsageError
from tests.generating import PROMPT
from tests.tiny import VOCAB

pytest_plugins = "tests.chat_bundles"


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
def test_ids_that_the_model_does_not_have(model: DecoderModel, ids: Any, place: int) -> None:
    run: list[Callable[[Any], Any]] = [model.generate, model.stream, model.logits, model.decode]
    run += [model.score, lambda prompt: model.generate([PROMPT, prompt], max_new_tokens=0)]
    for call in run:
        with pytest.raises(UsageError, match=f"at index {place} ") as caught:
            call(ids)
        assert caught.value.code == "TOKEN_ID" and len(str(caught.value)) < 200


@pytest.mark.parametrize("prompt", [None, 5, 1.5, b"bytes", bytearray(b"ab")], ids=str)
def test_what_is_no_prompt(model: DecoderModel, prompt: Any) -> None:
    for call in (model.generate, model.stream, model.logits, model.score):
        with pytest.raises(UsageError, match="expected a text or a list of ids"):
            call(prompt)


@pytest.mark.parametrize("prompt", ["", [], (), np.array([]), np.zeros((0,), np.int64)], ids=repr)
def test_an_empty_prompt(model: DecoderModel, prompt: Any) -> None:
    run: list[Any] = [model.generate, model.stream, model.logits, model.score]
    run += [lambda prompt: model.generate([PROMPT, prompt])]
    for call in run:
        with pytest.raises(UsageError) as caught:
            call(prompt)
        assert caught.value.code == "EMPTY_PROMPT"
    with pytest.raises(UsageError, match="at least two"):
        model.score([1])
    assert model.decode([]) == ""


def test_any_sequence_of_integers_is_a_prompt(model: DecoderModel) -> None:
    expected = model.generate(PROMPT, max_new_tokens=5)
    wide = np.array([PROMPT, PROMPT]).T.repeat(2, axis=0)
    ids: Any
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
    rows: Any = model.generate(np.array([PROMPT, PROMPT]), max_new_tokens=5)
    assert rows == [expected, expected]
    assert model.generate(range(5), max_new_tokens=2).prompt_tokens == 5


@pytest.mark.parametrize("text", ["\ud800", "fine until \udc00 here"])
def test_a_lone_surrogate(model: DecoderModel, text: str) -> None:
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
def test_a_million_characters_are_refused_at_once(model: DecoderModel, letter: str) -> None:
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


def test_nul_is_text(model: DecoderModel) -> None:
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
