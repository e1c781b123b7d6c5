"""Conversations: the kept cache, and what may happen to it between turns."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from satchel.runtime.decoder_session import Run
from satchel.runtime.errors import LimitError
from tests.generating import CONTEXT, PROMPT, opened, readable

pytest_plugins = "tests.chat_bundles"


@pytest.fixture
def fed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many positions each call of a prompt was given."""
    append = Run.append
    counts: list[int] = []

    def counted(self: Run, tokens: Any, every: bool = False) -> Any:
        counts.append(len(tokens))
        return append(self, tokens, every)

    monkeypatch.setattr(Run, "append", counted)
    return counts


def user(*texts: str) -> list[dict[str, str]]:
    """Turns of a user and, in between, of the assistant."""
    roles = ("user", "assistant")
    return [{"role": roles[i % 2], "content": text} for i, text in enumerate(texts)]


def test_a_conversation_keeps_its_cache(exact_folder: Path, fed: list[int]) -> None:
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


def test_the_same_and_shorter_conversations(exact_folder: Path, fed: list[int]) -> None:
    model = opened(exact_folder)
    first = model.chat(user("One"), max_new_tokens=30)
    assert model.chat(user("One"), max_new_tokens=30) == first
    assert fed[1:] == [1]  # the last id must be run to have its logits
    short = model.chat(user("O"), max_new_tokens=30)
    assert short == opened(exact_folder).chat(user("O"), max_new_tokens=30)
    assert model.chat(user("One"), max_new_tokens=30) == first


def test_interleaved_conversations(exact_folder: Path) -> None:
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


def test_a_conversation_grows_its_cache(exact_folder: Path) -> None:
    model, bias = opened(exact_folder), readable(opened(exact_folder))
    texts = ["start"]
    for length in (30, 90, 120, 260, 300):  # past 128, 256 and 512 in and between turns
        options: dict[str, Any] = {"max_new_tokens": length, "logit_bias": bias}
        found = model.chat(user(*texts), **options)
        assert found == opened(exact_folder).chat(user(*texts), **options)
        texts += [found.text, "next"]


def test_a_cancelled_answer_leaves_the_conversation_usable(exact_folder: Path) -> None:
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


def test_a_failed_answer_leaves_the_conversation_usable(
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


def test_chatting_inside_an_answer(exact_folder: Path) -> None:
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
