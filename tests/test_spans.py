"""Spans from the labels of tokens, whatever a tokenizer calls a word."""

from __future__ import annotations

import itertools
import unicodedata
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
import pytest
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers

from satchel.runtime.spans import Span, best_answers, merge_labels


def test_spans_of_tokens() -> None:
    """Words by their first token, spaces left out, bytes of one character kept together."""
    text = "New York, 東京 né🦊"
    tokens = [
        ((0, 3), 0, "B-X"),
        ((3, 8), 1, "I-X"),
        ((8, 9), 1, "O"),  # a comma in the word of York
        ((9, 11), 2, "B-X"),  # with its space
        ((11, 12), 2, "B-Y"),  # a language without spaces has words inside words
        ((12, 14), 3, "Z"),
        ((14, 15), 3, "O"),
        ((15, 16), 4, "Z"),
        ((15, 16), 4, "O"),
        ((0, 0), None, "Z"),
    ]
    spans = merged(text, tokens)
    assert [(one.label, one.text, one.score) for one in spans] == [
        ("X", "New York", 1),
        ("X", "東", 1),
        ("Y", "京", 1),
        ("Z", "né🦊", 1),
    ]


Token = tuple[tuple[int, int], int | None, str]  # place, word, label


def merged(text: str, tokens: Sequence[Token], names: Sequence[str] = ()) -> list[Span]:
    """The spans of tokens that are sure of their labels."""
    names = names or list(dict.fromkeys(["O", *(label for _, _, label in tokens), "B-X", "I-X"]))
    rows = np.eye(len(names), dtype=np.float32)
    scores = np.stack([rows[names.index(label)] for _, _, label in tokens])
    return merge_labels(text, [one[0] for one in tokens], [one[1] for one in tokens], scores, names)


@pytest.mark.parametrize(
    ("labels", "spans"),
    [
        ("B-X I-X O I-X B-X", ["X a b", "X d", "X e"]),
        ("B-X I-X E-X S-X O", ["X a b c", "X d"]),  # BIOES
        ("S-X S-X B-X E-X I-X", ["X a", "X b", "X c d", "X e"]),
        ("B-X I-X L-X U-X U-X", ["X a b c", "X d", "X e"]),  # BILOU
        ("B-X M-X E-X W-X I-X", ["X a b c", "X d", "X e"]),  # BMEWO
        ("E-X L-X M-X M-X O", ["X a", "X b", "X c d"]),
        ("B-geo-loc I-geo-loc B-X I-geo-loc O", ["geo-loc a b", "X c", "geo-loc d"]),
        ("X X O Y Y", ["X a b", "Y d e"]),  # no prefixes at all
        ("E-mail E-mail U-boat X- -X", ["E-mail a b", "U-boat c", "X- d", "-X e"]),
        ("I-X I-X I-Y I-Y O", ["X a b", "Y c d"]),
        ("O O O O O", []),
    ],
)
def test_labels_of_every_scheme(labels: str, spans: list[str]) -> None:
    tokens = [((2 * i, 2 * i + 1), i, label) for i, label in enumerate(labels.split())]
    found = merged("a b c d e", tokens)
    assert [f"{one.label} {one.text}" for one in found] == spans


# Where each text is cut into tokens by a tokenizer that splits at spaces alone, and its words.
WORDS = {
    "กรุงเทพ อยู่ไหน": ["กรุง", "เทพ", "อยู่", "ไหน"],  # Thai, with vowel signs inside tokens
    "ສະບາຍດີ": ["ສະບາຍ", "ດີ"],  # Lao
    "ខ្ញុំស្រឡាញ់": ["ខ្ញុំ", "ស្រឡាញ់"],  # Khmer
    "東京タワーへ": ["東京", "タワー", "へ"],  # Japanese
    "我爱北京。": ["我", "爱", "北京", "。"],  # Chinese
    "서울에서": ["서울", "에서"],  # Korean: a name and its particle
    "Straßen|bahn": ["Straßenbahn"],
    "नम|स्ते": ["नमस्ते"],  # Hindi has spaces
    "x👨\u200d👩|\u200d👧y": ["x", "👨\u200d👩\u200d👧", "y"],
    "cafe\u0301s": ["cafe\u0301s"],
}


@pytest.mark.parametrize("marked", WORDS)
def test_words_of_every_script(marked: str) -> None:
    """Each token is a span of its own if it is a word of its own, and offsets are exact."""
    words, text = WORDS[marked], marked.replace("|", "")
    pieces: list[Any] = []
    start = 0
    for word in words:
        start = text.index(word, start)
        ends = [start, start + len(word)]
        if "|" in marked and text.index(word) <= marked.index("|") < ends[1]:
            ends.insert(1, marked.index("|"))
        pieces += itertools.pairwise(ends)
        start = ends[-1]
    tokens = [(piece, text[: piece[0]].count(" "), "B-X") for piece in pieces]
    assert [one.text for one in merged(text, tokens)] == words


@pytest.mark.parametrize("form", ["NFC", "NFD"])
@pytest.mark.parametrize("kind", ["bert", "bytes"])
def test_offsets_are_exact_in_both_forms_of_an_accent(
    kind: str, form: Literal["NFC", "NFD"]
) -> None:
    """A tokenizer may drop accents, or give every byte a token: no accent is lost or cut off."""
    text = unicodedata.normalize(form, "Das Café\u0301 Zoë: Übung 🇫🇷 👍🏽 Ắn")
    if kind == "bert":
        tokenizer = Tokenizer(models.WordPiece({"[UNK]": 0}, unk_token="[UNK]"))
        tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
        tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    else:
        alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
        tokenizer = Tokenizer(models.BPE({sign: i for i, sign in enumerate(alphabet)}, []))
        tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        tokenizer.decoder = decoders.ByteLevel()
    encoding = tokenizer.encode(text)
    tokens = [(*one, "B-X") for one in zip(encoding.offsets, encoding.word_ids, strict=True)]
    found = [one.text for one in merged(text, tokens)]
    words = [unicodedata.normalize(form, word) for word in ("Das", "Café\u0301", "Zoë", "Übung")]
    assert [word for word in found if word in words] == words
    assert found[-1] == unicodedata.normalize(form, "Ắn")
    for place in (1, 3):
        logits = np.full((len(tokens), 2), -9, np.float32)
        start = text.index(words[place])
        inside = [
            i for i, (a, b) in enumerate(encoding.offsets)
            if start <= a and b <= start + len(words[place]) and text[a:b].strip()
        ]  # fmt: skip
        logits[inside[0], 0] = logits[inside[-1], 1] = 9
        answer = best_answers(
            text, encoding.offsets, logits, np.zeros(2, np.float32), longest=99, top=3
        )[0]
        assert answer.text == words[place]
