"""Texts to ids: what is refused before the tokenizer reads it, and tokenizers that cannot be used."""

from __future__ import annotations

from pathlib import Path

import pytest

from satchel.runtime.errors import BundleError, LimitError, SatchelError, UsageError
from satchel.runtime.text import load_tokenizer, tokenizing
from tests.text_streams import BYTES
from tests.tiny import byte_tokenizer


@pytest.mark.parametrize("text", ["\ud800", "ok \udfff!", "\U0001f600\ud83d"])
def test_a_lone_surrogate_is_refused(text: str) -> None:
    refused = pytest.raises(UsageError, match=r"lone surrogate at character \d+")
    with refused as caught, tokenizing(text, 100):
        raise AssertionError("reached the tokenizer")
    assert caught.value.code == "PROMPT_ENCODING"


@pytest.mark.parametrize("text", ["", "\0", "a\0b", "\x7f\u202e\ufeff", "\U0010ffff"])
def test_odd_text_passes(text: str) -> None:
    with tokenizing(text, 100):
        ids = BYTES.encode(text).ids
    assert BYTES.decode(ids) == text


@pytest.mark.parametrize("text", [None, 5, b"bytes", ["list"]])
def test_what_is_no_text_is_refused(text: object) -> None:
    with pytest.raises(UsageError, match="expected a text"), tokenizing(text, 100):  # type: ignore[arg-type]
        pass


def test_a_text_far_beyond_the_context_is_refused_unread() -> None:
    with tokenizing("x" * 3200, 100):
        pass
    with pytest.raises(LimitError, match="3201 characters") as caught, tokenizing("x" * 3201, 100):
        pass
    assert caught.value.code == "PROMPT_TOO_LONG"


def test_what_the_tokenizer_raises_becomes_one_line() -> None:
    class Panic(BaseException):
        pass

    for error, expected in [(Panic("a\nb"), UsageError), (SatchelError("own"), SatchelError)]:
        with pytest.raises(expected) as caught, tokenizing("x", 10):
            raise error
        assert "\n" not in str(caught.value)
    for error in (KeyboardInterrupt(), SystemExit(), GeneratorExit()):
        with pytest.raises(type(error)), tokenizing("x", 10):
            raise error


@pytest.mark.parametrize("content", ["", "{", "[]", '{"model": {"type": "Nonsense"}}', "\0\1"])
def test_an_unusable_tokenizer_file(content: str, tmp_path: Path) -> None:
    path = tmp_path / "tokenizer.json"
    path.write_text(content)
    with pytest.raises(BundleError, match=r"tokenizer\.json is not usable") as caught:
        load_tokenizer(path)
    assert caught.value.code == "TOKENIZER_INVALID" and "\n" not in str(caught.value)


def test_truncation_and_padding_are_left_out(tmp_path: Path) -> None:
    tokenizer = byte_tokenizer()
    tokenizer.enable_truncation(2)
    tokenizer.enable_padding(length=9)
    tokenizer.save(str(tmp_path / "tokenizer.json"))
    assert len(load_tokenizer(tmp_path / "tokenizer.json").encode("hello").ids) == 5
