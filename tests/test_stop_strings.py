"""Stop strings: where they end a streamed text, and those that a checkpoint recommends."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, pre_tokenizers

import satchel
from satchel.runtime.text import TextStream
from tests.loading import load_as
from tests.text_streams import BYTES, byte_ids, decoded, pieces_of
from tests.tiny import save_checkpoint

# Tokens of several letters, so that a piece may end before, in and after a stop.
LETTERS = ["a", "b", "ab", "ba", "aa", "bb", "aba", "abb", "bab", "c", "abc", "cab", "é", "🙂"]


def _letters_tokenizer() -> Tokenizer:
    spelled = pre_tokenizers.ByteLevel(add_prefix_space=False)
    names = [spelled.pre_tokenize_str(text)[0][0] for text in LETTERS]
    pieces = dict.fromkeys([*sorted(pre_tokenizers.ByteLevel.alphabet()), *names])
    tokenizer = Tokenizer(models.BPE({piece: index for index, piece in enumerate(pieces)}, []))
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


TOKENS_OF_LETTERS = _letters_tokenizer()
LETTER_ID = {TOKENS_OF_LETTERS.decode([i]): i for i in range(TOKENS_OF_LETTERS.get_vocab_size())}
LETTER_IDS = st.one_of(
    st.integers(0, TOKENS_OF_LETTERS.get_vocab_size() - 1),
    st.sampled_from([LETTER_ID[text] for text in LETTERS]),
)
STOPS = st.lists(
    st.one_of(
        st.text("ab", min_size=1, max_size=4),
        st.text("abcé🙂\ufffd", min_size=1, max_size=3),
    ),
    min_size=1,
    max_size=4,
)


def cut(text: str, stops: list[str]) -> tuple[str, bool]:
    """The reference: read letter by letter until what was read ends in a stop string."""
    for end in range(1, len(text) + 1):
        lengths = [len(stop) for stop in stops if text[:end].endswith(stop)]
        if lengths:
            return text[: end - max(lengths)], True
    return text, False


@settings(max_examples=1500, deadline=None, derandomize=True)
@given(st.lists(LETTER_IDS, max_size=14), STOPS)
def test_stop_strings_equal_the_reference(ids: list[int], stops: list[str]) -> None:
    expected, found = cut(decoded(TOKENS_OF_LETTERS, ids), stops)
    stream = TextStream(TOKENS_OF_LETTERS, stops)
    text = ""
    for token in ids:
        text += stream.add(token)
        assert expected.startswith(text)
        if stream.stopped:
            break
    assert text + stream.close() == expected
    assert stream.stopped == found


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.lists(st.sampled_from([text for text in LETTERS if text.isascii()]), max_size=12), STOPS)
def test_nothing_is_held_but_the_start_of_a_stop(words: list[str], stops: list[str]) -> None:
    stream, read, text = TextStream(TOKENS_OF_LETTERS, stops), "", ""
    for word in words:
        read += word
        text += stream.add(LETTER_ID[word])
        if stream.stopped:
            assert cut(read, stops) == (text, True)
            return
        starts = [stop[:length] for stop in stops for length in range(1, len(stop))]
        held = max((len(start) for start in starts if read.endswith(start)), default=0)
        assert text == read[: len(read) - held]


@pytest.mark.parametrize(
    ("words", "stops", "expected"),
    [
        (["ab", "c"], ["ab"], ""),
        (["a", "b"], ["ab"], ""),
        (["c", "aba", "bab"], ["abab"], "c"),
        (["aa", "ba"], ["aab", "aaba"], ""),
        (["a", "a", "a", "b"], ["aab"], "a"),
        (["abc"], ["abc", "b"], "a"),
        (["a", "b", "c"], ["abc", "b"], "a"),
        (["c", "abb"], ["b", "abb"], "ca"),
        (["c", "ab"], ["b", "ab"], "c"),
        (["a", "b"], ["abc"], "ab"),
        (["é", "🙂"], ["é🙂"], ""),
        (["c", "🙂"], ["🙂🙂"], "c🙂"),
    ],
)
def test_stop_string_cases(words: list[str], stops: list[str], expected: str) -> None:
    for order in (stops, stops[::-1]):
        for split in (False, True):
            spelled = "".join(words).encode()
            ids = (
                byte_ids(TOKENS_OF_LETTERS, spelled)
                if split
                else [LETTER_ID[word] for word in words]
            )
            assert "".join(pieces_of(TOKENS_OF_LETTERS, ids, tuple(order))) == expected


def test_the_end_hands_on_what_was_held() -> None:
    ids = byte_ids(BYTES, b"hello EN")
    pieces = pieces_of(BYTES, ids, ("END",))
    assert "".join(pieces[:-1]) == "hello " and pieces[-1] == "EN"
    assert pieces_of(BYTES, byte_ids(BYTES, "é".encode()[:1]), ("x",)) == ["", "\ufffd"]
    stream = TextStream(BYTES, ["\ufffd"])  # complete only when no more bytes come
    assert stream.add(byte_ids(BYTES, b"\xc3")[0]) + stream.close() == "" and stream.stopped


def test_recommended_stop_strings_end_a_text(tmp_path: Path) -> None:
    source, out = tmp_path / "checkpoint", tmp_path / "bundle"
    save_checkpoint(source, "llama", num_hidden_layers=1)
    advice = {"stop_strings": ["never written"], "max_new_tokens": 40}
    (source / "generation_config.json").write_text(json.dumps(advice))
    assert satchel.pack(source, out, profile="fp32").manifest.generation == advice
    model = load_as(satchel.DecoderModel, out, threads=1)
    plain = model.generate("hello")
    assert len(plain.tokens) == 40 and plain.finish_reason == "length"
    stop = plain.text[len(plain.text) // 2]
    model.manifest.generation["stop_strings"] = stop
    found, stream = model.generate("hello"), model.stream("hello")
    assert found.finish_reason == "stop" and found.text == plain.text.partition(stop)[0]
    assert "".join(stream) == found.text and stream.result.finish_reason == "stop"
    assert model.generate("hello", stop=()).text == plain.text
