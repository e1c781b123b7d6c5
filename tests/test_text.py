"""Streamed text: the pieces are the full decode, cut between characters and before stop strings."""

from __future__ import annotations

import time
from itertools import chain, groupby
from pathlib import Path

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from tokenizers import (
    AddedToken,
    Tokenizer,
    decoders,
    models,
    normalizers,
    pre_tokenizers,
    trainers,
)

from satchel.runtime.errors import BundleError, LimitError, SatchelError, UsageError
from satchel.runtime.text import PATIENCE, TextStream, load_tokenizer, tokenizing
from tests.tiny import byte_tokenizer

WORDS = "the cat sat on a mat, naïve 世界 🙂👩‍👩‍👧 don't stop. It's 3 o'clock\n\tदेव e\u0301"
SPECIAL = ("<s>", "</s>", "<pad>")


def merged_bytes() -> Tokenizer:
    """Byte-level BPE whose merges cross characters."""
    tokenizer = byte_tokenizer()
    trainer = trainers.BpeTrainer(
        vocab_size=400,
        show_progress=False,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=list(SPECIAL),
    )
    tokenizer.train_from_iterator([WORDS, WORDS[::-1]] * 3, trainer)
    tokenizer.add_tokens([AddedToken("<think>", normalized=False)])
    return tokenizer


def _sentence_pieces() -> list[str]:
    pieces = [*SPECIAL, "<unk>", *(f"<0x{byte:02X}>" for byte in range(256)), "▁", "▁▁"]
    pieces += ["▁the", "▁cat", "the", "at", "▁s", "s", "世", ".", "▁.", "'t", "▁n"]
    return pieces + sorted(set("abcdefghijklmnopqrstuvwxyz,!?é"))


def byte_fallback(metaspace: bool) -> Tokenizer:
    """SentencePiece as Llama has it; its decoder is a chain or a Metaspace behind the bytes."""
    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys(_sentence_pieces()))}
    tokenizer = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>", byte_fallback=True))
    space = [decoders.Metaspace()] if metaspace else [decoders.Replace("▁", " ")]
    strip = [] if metaspace else [decoders.Strip(" ", 1, 0)]
    if metaspace:
        tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
        tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), *space])
    else:
        tokenizer.normalizer = normalizers.Sequence(
            [normalizers.Prepend("▁"), normalizers.Replace(" ", "▁")]
        )
        tokenizer.decoder = decoders.Sequence(
            [*space, decoders.ByteFallback(), decoders.Fuse(), *strip]
        )
    tokenizer.add_special_tokens([*SPECIAL, "<unk>"])
    return tokenizer


def word_piece() -> Tokenizer:
    letters = "abcdefghijklmnopqrstuvwxyz.,'!?世界"
    pieces = [*SPECIAL, "[UNK]", *letters, *(f"##{letter}" for letter in letters)]
    pieces += ["the", "cat", "##ing", "n't", "do", "not", "'s", "##世", "'m", "'ve", "'re"]
    vocabulary = {piece: index for index, piece in enumerate(dict.fromkeys(pieces))}
    tokenizer = Tokenizer(models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    tokenizer.add_special_tokens([*SPECIAL, "[UNK]"])
    return tokenizer


def word_ends() -> Tokenizer:
    """The BPE of the first GPT: a mark at the end of a word, which decodes to nothing at the end."""
    pieces = [*SPECIAL, "<unk>", *"abcdet", *(f"{letter}</w>" for letter in "abcdet"), "the</w>"]
    vocabulary = {piece: index for index, piece in enumerate(pieces)}
    tokenizer = Tokenizer(models.BPE(vocabulary, [], unk_token="<unk>", end_of_word_suffix="</w>"))
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.BPEDecoder()
    tokenizer.add_special_tokens([*SPECIAL, "<unk>"])
    return tokenizer


TOKENIZERS = {
    "bytes": byte_tokenizer(),
    "merged bytes": merged_bytes(),
    "byte fallback": byte_fallback(metaspace=False),
    "byte fallback metaspace": byte_fallback(metaspace=True),
    "word piece": word_piece(),
    "word ends": word_ends(),
}
BYTES = TOKENIZERS["bytes"]


def pieces_of(tokenizer: Tokenizer, ids: list[int], stop: tuple[str, ...] = ()) -> list[str]:
    """What a reader of the stream gets; stops where the loop would."""
    stream, pieces = TextStream(tokenizer, stop), []
    for token in ids:
        pieces.append(stream.add(token))
        if stream.stopped:
            break
    return [*pieces, stream.close()]


def decoded(tokenizer: Tokenizer, ids: list[int]) -> str:
    return tokenizer.decode(ids, skip_special_tokens=True)


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


def id_of(tokenizer: Tokenizer, token: str) -> int:
    """Of a token that the tokenizer has."""
    found = tokenizer.token_to_id(token)
    assert found is not None
    return found


def byte_ids(tokenizer: Tokenizer, data: bytes) -> list[int]:
    """Ids of the tokens that stand for one byte each."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]  # byte-level: written as they are
    others = [byte for byte in range(256) if byte not in plain]
    letters = {byte: chr(byte) for byte in plain} | {b: chr(256 + i) for i, b in enumerate(others)}
    fallback = tokenizer.token_to_id("<0x00>") is not None
    return [id_of(tokenizer, f"<0x{b:02X}>" if fallback else letters[b]) for b in data]


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


# Stop strings. Tokens of several letters, so that a piece may end before, in and after a stop.
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
