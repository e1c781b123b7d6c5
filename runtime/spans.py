"""Scores of tokens become spans of the original text. Knows no model."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Offset = tuple[int, int]  # first and one past the last character of a token
OUTSIDE = "O"


@dataclass(frozen=True)
class Span:
    """A piece of a text: characters `start` up to `end`, with a label and its score."""

    label: str
    text: str
    start: int
    end: int
    score: float


@dataclass(frozen=True)
class Answer:
    """The span of a context that answers a question; empty text where none does."""

    text: str
    start: int
    end: int
    score: float


def merge_labels(
    text: str,
    offsets: Sequence[Offset],
    words: Sequence[int | None],
    scores: Array,
    names: Sequence[str],
) -> list[Span]:
    """Spans from per-token probabilities [tokens, labels]; `words` numbers each token's word.

    A word has the label and score of its first token. A span goes on while the next word is I- of
    the same kind (or, without prefixes, has the same label); its score is the mean of its words'.
    "O" is no span.
    """
    spans: list[tuple[str, int, int, list[float]]] = []
    previous = OUTSIDE
    for start, end, row in _words(text, offsets, words, scores):
        best = int(row.argmax())
        prefix, _, kind = names[best].rpartition("-") if names[best][1:2] == "-" else ("", "", "")
        if prefix not in ("B", "I"):
            prefix, kind = "", names[best]
        if kind == previous and prefix != "B" and kind != OUTSIDE:
            _, first, _, so_far = spans[-1]
            spans[-1] = (kind, first, end, [*so_far, float(row[best])])
        elif kind != OUTSIDE:
            spans.append((kind, start, end, [float(row[best])]))
        previous = kind
    return [
        Span(kind, text[start:end], start, end, float(np.mean(parts)))
        for kind, start, end, parts in spans
    ]


def _words(
    text: str, offsets: Sequence[Offset], words: Sequence[int | None], scores: Array
) -> list[tuple[int, int, Array]]:
    """(start, end, scores of the first token) of every word, without special tokens."""
    found: list[tuple[int, int, Array]] = []
    last: int | None = None
    for (start, end), word, row in zip(offsets, words, scores, strict=True):
        start, end = _trimmed(text, start, end)
        if word is None or start == end:
            continue
        if found and word == last and _goes_on(text, start, found[-1][1]):
            found[-1] = (found[-1][0], max(end, found[-1][1]), found[-1][2])
        else:
            found.append((start, end, row))
        last = word
    return found


def _goes_on(text: str, start: int, end: int) -> bool:
    """Whether a token at `start` belongs to the word before it, which ends at `end`.

    Tokenizers that split at spaces alone call "Paris," one word, and a line of Chinese too.
    """
    if start < end:
        return True  # bytes of one character
    pair = text[end - 1], text[start]
    letters = all(unicodedata.category(letter)[0] in "LMN" for letter in pair)
    wide = any(unicodedata.east_asian_width(letter) in "WF" for letter in pair)
    return start == end and letters and not wide


def _trimmed(text: str, start: int, end: int) -> Offset:
    """Without the spaces that some tokenizers count to a token."""
    piece = text[start:end]
    return start + len(piece) - len(piece.lstrip()), max(
        start, end - len(piece) + len(piece.rstrip())
    )


def best_answer(
    context: str,
    offsets: Sequence[Offset],
    in_context: Sequence[bool],
    logits: Array,
    longest: int,
) -> Answer:
    """The likeliest span from start and end logits [tokens, 2], of at most `longest` tokens.

    Its score is the product of the two probabilities over the context and the first token, which
    stands for "no answer" in models trained to say so.
    """
    allowed = np.array(in_context)
    allowed[0] = True
    masked = np.where(allowed[:, None], logits, -np.inf)
    shifted = np.exp(masked - masked.max(0))
    start, end = (shifted / shifted.sum(0)).T
    product = np.outer(start, end)
    joint = np.triu(product) - np.triu(product, longest)
    none = float(joint[0, 0])
    joint[0, :] = 0
    first, last = divmod(int(joint.argmax()), len(joint))
    score = float(joint[first, last])
    if none >= score:
        return Answer("", 0, 0, none)
    begin, finish = _trimmed(context, offsets[first][0], offsets[last][1])
    return Answer(context[begin:finish], begin, finish, score)
