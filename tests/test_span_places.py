"""Places of spans in texts full of odd white space, for each kind of tokenizer."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors

from satchel.runtime.spans import Span, best_answers, merge_labels
from satchel.tokenization.tokenizer import _untrimmed

ALPHABET = "aB1.,é東ก \n\t\u00a0\u2003\u3000\u200b\u200d\u0301\x1f🦊"
NAMES = ["O", "B-X", "I-X"]


def byte_level() -> Tokenizer:
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokenizer = Tokenizer(models.BPE({sign: i for i, sign in enumerate(alphabet)}, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.post_processor = processors.ByteLevel(trim_offsets=True)
    tokenizer.add_tokens(["<x>"])
    raw = json.loads(tokenizer.to_str())
    raw["post_processor"] = _untrimmed(raw["post_processor"])
    return Tokenizer.from_str(json.dumps(raw))


def word_piece() -> Tokenizer:
    pieces = {"[UNK]": 0, "a": 1, "##a": 2, "b": 3, "##b": 4, "1": 5, "##1": 6, "東": 7}
    tokenizer = Tokenizer(models.WordPiece(pieces, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.add_tokens(["<x>"])
    return tokenizer


def sentence_piece() -> Tokenizer:
    pieces = [("<unk>", 0.0), *((sign, -2.0) for sign in "▁aB1.,é東"), ("▁a", -1.0)]
    tokenizer = Tokenizer(models.Unigram(pieces, 0, False))
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace(prepend_scheme="always")
    tokenizer.add_tokens(["<x>"])
    return tokenizer


TOKENIZERS = {"bytes": byte_level(), "pieces": word_piece(), "sentences": sentence_piece()}


def check(text: str, spans: list[Span]) -> None:
    before = 0
    for span in spans:
        assert before <= span.start < span.end <= len(text)
        assert span.text == text[span.start : span.end] and span.text.strip() == span.text != ""
        before = span.end


@pytest.mark.parametrize("kind", TOKENIZERS)
@settings(max_examples=150, deadline=None, derandomize=True)
@given(
    st.lists(st.one_of(st.text(ALPHABET, max_size=6), st.just("<x>")), max_size=6),
    st.integers(0, 2**16),
)
def test_spans_are_in_order_and_never_blank(kind: str, parts: list[str], seed: int) -> None:
    text = "".join(parts)
    encoding = TOKENIZERS[kind].encode(text)
    if not encoding.ids:
        return
    random = np.random.default_rng(seed)
    scores = random.random((len(encoding.ids), 3), np.float32)
    check(text, merge_labels(text, encoding.offsets, encoding.word_ids, scores, NAMES))
    logits = random.normal(0, 3, (len(encoding.ids), 2)).astype(np.float32)
    none = np.zeros(2, np.float32)
    for answer in best_answers(text, encoding.offsets, logits, none, longest=9, top=5):
        assert answer.text == text[answer.start : answer.end]
        assert answer.text.strip() or answer.start == answer.end == 0


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("in <x>BMS now", ["in", "<x>", "BMS", "now"]),
        ("<x>B", ["<x>", "B"]),
        ("a\n\u00a0b", ["a", "b"]),
        ("\n", []),
        ("a \u00a0", ["a"]),
    ],
)
def test_words_behind_added_tokens_and_white_space(text: str, words: list[str]) -> None:
    encoding = TOKENIZERS["bytes"].encode(text)
    scores = np.tile(np.array([[0, 1, 0]], np.float32), (len(encoding.ids), 1))
    found = merge_labels(text, encoding.offsets, encoding.word_ids, scores, NAMES)
    assert "".join(one.text for one in found) == "".join(words)
    for word in words:
        assert any(one.start == text.index(word) for one in found)
