"""Generations that are cancelled, dropped, failing or run beside each other."""

from __future__ import annotations

import gc
import shutil
import threading
import time
import weakref
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from satchel.runtime.cancel import Cancel
from satchel.runtime.decoder_model import DecoderModel
from satchel.runtime.decoder_session import Run
from satchel.runtime.errors import SatchelError, UsageError
from tests.generating import PROMPT, opened, readable, some_ids

pytest_plugins = "tests.chat_bundles"


@pytest.fixture(scope="module")
def long(model: DecoderModel) -> Any:
    """The Generation that the tests below interrupt."""
    return model.generate(PROMPT, max_new_tokens=None)


def assert_as_fresh(model: DecoderModel, long: Any) -> None:
    found = model.generate(PROMPT, max_new_tokens=40)
    assert found.tokens == long.tokens[:40] and found.finish_reason == "length"
    np.testing.assert_array_equal(found.logprobs, long.logprobs[:40])


def test_cancel_before_the_first_token(model: DecoderModel, long: Any) -> None:
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


def test_cancel_between_two_pieces_from_another_thread(model: DecoderModel, long: Any) -> None:
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


def test_cancel_at_any_time(model: DecoderModel, long: Any) -> None:
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


def test_cancel_late_and_twice(model: DecoderModel, long: Any) -> None:
    stream = model.stream(PROMPT, max_new_tokens=3)
    text = "".join(stream)
    stream.cancel()
    stream.cancel()
    assert list(stream) == []
    assert stream.result.finish_reason == "length" and stream.result.text == text
    assert_as_fresh(model, long)


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, GeneratorExit, MemoryError])
def test_an_exception_in_the_consumer(
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


def test_a_dropped_stream_leaves_nothing(model: DecoderModel, long: Any) -> None:
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
                assert not model._last._taken.locked()
    finally:
        gc.enable()
    assert threading.active_count() == threads
    assert_as_fresh(model, long)


def test_a_result_needs_the_end_of_its_stream(model: DecoderModel) -> None:
    stream = model.stream(PROMPT, max_new_tokens=4, logit_bias=readable(model))
    for _ in range(2):
        with pytest.raises(UsageError, match="still being generated"):
            _ = stream.result
        next(stream)
    rest = list(stream)
    assert stream.result.text.endswith("".join(rest)) and len(stream.result.tokens) == 4
    assert list(stream) == []


def test_generating_inside_a_stream(model: DecoderModel) -> None:
    plain = "".join(model.stream(PROMPT, max_new_tokens=12))
    other = model.generate("other", max_new_tokens=12)
    text = ""
    for piece in model.stream(PROMPT, max_new_tokens=12):
        text += piece
        assert model.generate("other", max_new_tokens=12) == other
    assert text == plain


def test_logits_that_stop_being_finite(
    model: DecoderModel, long: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    step, calls = Run.step, iter(range(100))

    def broken(self: Run, tokens: Any, active: Any = None) -> Any:
        logits = step(self, tokens, active)
        return logits if next(calls) < 3 else logits * np.float32("nan")

    with monkeypatch.context() as patched:
        patched.setattr(Run, "step", broken)
        pieces: list[str] = []
        stream = model.stream(PROMPT, max_new_tokens=20)
        with pytest.raises(SatchelError, match="not finite") as caught:
            pieces.extend(stream)
        assert caught.value.code == "NUMERIC_ERROR"
        assert stream.result.tokens == long.tokens[:4]
    assert_as_fresh(model, long)


def test_the_folder_may_go_after_loading(folder: Path, tmp_path: Path, long: Any) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(folder, copy)
    loaded = opened(copy)
    shutil.rmtree(copy)
    assert_as_fresh(loaded, long)


def test_threads_give_the_serial_results(exact: DecoderModel) -> None:
    def work(seed: int) -> tuple[Any, ...]:
        ids = some_ids(5 + 20 * seed, seed=seed)
        options: dict[str, Any] = {"temperature": 1.0, "seed": seed} if seed % 2 else {}
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
