"""Streamed text: the pieces are the full decode, cut between characters."""

from __future__ import annotations

import time
from itertools import chain, groupby

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer

from satchel.runtime.text import PATIENCE, TextStream
from tests.text_streams import (
    BYTES,
    SPECIAL,
    TOKENIZERS,
    WORDS,
    byte_ids,
    decoded,
    id_of,
    pieces_of,
)


def longest_byte_run(tokenizer: Tokenizer, ids: list[int]) -> int:
    """Ids in a row that stand for single bytes, those between them that are no text left out."""
    names = [tokenizer.id_to_token(token) for token in ids]
    kinds = [name.startswith("<0x") for name in names if name is not None and name not in SPECIAL]
    return max((len(list(run)) for byte, run in groupby(kinds) if byte), default=0)


def some_ids(tokenizer: Tokenizer) -> st.SearchStrategy[list[int]]:
    """Ids of every kind, also of real text and of no token at all, in runs."""
    size = tokenizer.get_vocab_size()
    texts = st.one_of(st.text(max_size=6), st.sampled_from(WORDS.split(" ")))
    real = texts.map(lambda text: tokenizer.encode(text.encode("utf-8", "ignore").decode()).ids)
    loose = st.lists(st.integers(0, size + 3), max_size=12)
    same = st.builds(lambda token, n: [token] * n, st.integers(0, size + 3), st.integers(1, 6))
    return st.lists(st.one_of(real, loose, same), max_size=8).map(lambda runs: [*chain(*runs)])


@pytest.mark.parametrize("name", TOKENIZERS)
def test_pieces_are_the_full_decode(name: str) -> None:
    tokenizer = TOKENIZERS[name]

    @settings(max_examples=500, deadline=None, derandomize=True)
    @given(some_ids(tokenizer))
    def check(ids: list[int]) -> None:
        assume(longest_byte_run(tokenizer, ids) < PATIENCE)
        assert "".join(pieces_of(tokenizer, ids)) == decoded(tokenizer, ids)

    check()


@pytest.mark.slow
@pytest.mark.parametrize("name", TOKENIZERS)
def test_many_random_sequences_of_ids(name: str) -> None:
    tokenizer, random = TOKENIZERS[name], np.random.default_rng(11)
    for _ in range(10_000):
        ids = random.integers(0, tokenizer.get_vocab_size(), random.integers(1, 30)).tolist()
        if longest_byte_run(tokenizer, ids) < PATIENCE:
            assert "".join(pieces_of(tokenizer, ids)) == decoded(tokenizer, ids)


@pytest.mark.parametrize("name", ["bytes", "merged bytes"])
def test_a_character_is_handed_on_when_it_is_complete(name: str) -> None:
    tokenizer = TOKENIZERS[name]
    ids, stream, text = tokenizer.encode(WORDS).ids, TextStream(tokenizer), ""
    for count, token in enumerate(ids, 1):
        text += stream.add(token)
        assert text == decoded(tokenizer, ids[:count]).rstrip("\N{REPLACEMENT CHARACTER}")
    assert text == WORDS and stream.close() == ""


@pytest.mark.parametrize("name", ["byte fallback", "byte fallback metaspace"])
def test_bytes_in_a_row_are_handed_on_when_they_end(name: str) -> None:
    tokenizer = TOKENIZERS[name]
    ids, stream, text = tokenizer.encode(WORDS).ids, TextStream(tokenizer), ""
    for count, token in enumerate(ids, 1):
        text += stream.add(token)
        if not str(tokenizer.id_to_token(token)).startswith("<0x"):
            assert text == decoded(tokenizer, ids[:count])
    assert text + stream.close() == WORDS


@pytest.mark.parametrize("name", [name for name in TOKENIZERS if "byte" in name])
@pytest.mark.parametrize("letter", ["a", "é", "ก", "🙂"])
def test_a_long_run_of_bytes_comes_in_time_and_whole(name: str, letter: str) -> None:
    tokenizer = TOKENIZERS[name]
    words = letter * 300
    ids = tokenizer.encode(words, add_special_tokens=False).ids
    stream, text = TextStream(tokenizer), ""
    for count, token in enumerate(ids, 1):
        text += stream.add(token)
        behind = decoded(tokenizer, ids[: max(0, count - PATIENCE - 3)]).rstrip("\ufffd")
        assert words.startswith(text) and len(text) >= len(behind)
    assert text + stream.close() == words


@pytest.mark.parametrize("garbage", [b"\x80", b"\xff", b"\xe4", b"\xf0\x9f", b"\xef\xbf\xbd"])
@pytest.mark.parametrize("name", ["bytes", "byte fallback"])
def test_long_garbage_is_handed_on_and_ends(name: str, garbage: bytes) -> None:
    tokenizer = TOKENIZERS[name]
    ids = [*byte_ids(tokenizer, garbage * 200), id_of(tokenizer, "a")]
    pieces = pieces_of(tokenizer, ids)
    text = "".join(pieces)
    assert any(pieces[: PATIENCE + 1]) and text.endswith("a")
    assert set(text[:-1]) == {"\ufffd"}
    if name == "bytes":
        assert text == decoded(tokenizer, ids)


@pytest.mark.parametrize("text", ["é", "世", "🙂", "a世b🙂"])
def test_characters_after_long_garbage_are_whole(text: str) -> None:
    for count in range(PATIENCE - 6, PATIENCE + 12):
        for garbage in (b"\x80", b"\xf0\x9f", b"\xe4"):
            ids = byte_ids(BYTES, garbage * count + text.encode() * 12)
            assert "".join(pieces_of(BYTES, ids)) == decoded(BYTES, ids)


def test_ids_without_text_change_nothing() -> None:
    for name in ("merged bytes", "byte fallback", "word piece"):
        tokenizer = TOKENIZERS[name]
        silent = [id_of(tokenizer, "<pad>"), tokenizer.get_vocab_size() + 7]
        ids = tokenizer.encode("the cat 世界").ids
        spread = [token for one in ids for token in (*silent * 40, one)]
        assert "".join(pieces_of(tokenizer, spread)) == decoded(tokenizer, ids)
        assert pieces_of(tokenizer, silent * 3) == [""] * 7


@pytest.mark.parametrize("name", ["merged bytes", "byte fallback", "word piece"])
@pytest.mark.parametrize("kind", ["text", "one token", "bytes", "silent"])
@pytest.mark.parametrize("stop", [(), ("zzzz", "th" * 100)])
def test_adding_ids_does_not_slow_down(name: str, kind: str, stop: tuple[str, ...]) -> None:
    tokenizer = TOKENIZERS[name]
    ids = {
        "text": tokenizer.encode("the cat sat on the mat.").ids,
        "one token": [id_of(tokenizer, "t")],
        "bytes": [tokenizer.token_to_id("<0x80>") or tokenizer.token_to_id("Ģ") or 5],
        "silent": [id_of(tokenizer, "<pad>")],
    }[kind]
    stream = TextStream(tokenizer, stop)

    def seconds(count: int) -> float:
        start = time.process_time()
        for index in range(count):
            stream.add(ids[index % len(ids)])
        return time.process_time() - start

    seconds(200)
    early = min(seconds(100) for _ in range(3))
    seconds(3000)
    assert min(seconds(100) for _ in range(3)) < 4 * early + 0.002
