"""Scores of tokens become spans of the original text. Knows no model."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from satchel.runtime.greatest import places_of_greatest

Array = NDArray[np.float32]
Offset = tuple[int, int]  # first and one past the last character of a token
OUTSIDE = "O"  # the label of what is in no span
BEGIN = frozenset("BSUW")  # begin, single, unit, whole
INSIDE = frozenset("IM")
LAST = frozenset("ELSUW")  # end, last, and those of one word alone
# Thai, Lao, Tibetan, Myanmar and Khmer: letters that are not wide, in scripts without spaces.
UNSPACED = ((0x0E00, 0x0FFF), (0x1000, 0x109F), (0x1780, 0x17FF))
BYTES = 4  # of a character, at most
JOINER = "\N{ZERO WIDTH JOINER}"


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
    """The span of a context that answers a question; empty text where none does.

    `score` is its probability, and `no_answer` that of "the context does not say".
    """

    text: str
    start: int
    end: int
    score: float
    no_answer: float


def merge_labels(
    text: str,
    offsets: Sequence[Offset],
    words: Sequence[int | None],
    scores: Array,
    names: Sequence[str],
) -> list[Span]:
    """Spans from per-token probabilities [tokens, labels]; `words` numbers each token's word.

    A word has the label and score of its first token. Words in a row of one kind are a span unless a
    prefix parts them; its score is their mean.
    """
    tags = _tags(names)
    spans: list[tuple[str, int, int, list[float]]] = []
    going = OUTSIDE  # the kind of a span that the next word may continue
    for start, end, row in _words(text, offsets, words, scores):
        best = int(row.argmax())
        prefix, kind = tags[best]
        if kind == going and prefix not in BEGIN and kind != OUTSIDE:
            _, first, _, so_far = spans[-1]
            spans[-1] = (kind, first, end, [*so_far, float(row[best])])
        elif kind != OUTSIDE:
            spans.append((kind, start, end, [float(row[best])]))
        going = OUTSIDE if prefix in LAST else kind
    return [
        Span(kind, text[start:end], start, end, float(np.mean(parts)))
        for kind, start, end, parts in spans
    ]


def _tags(names: Sequence[str]) -> list[tuple[str, str]]:
    """(prefix, kind) of every label; the prefix is empty where the label is the kind."""
    # B- and I- always are prefixes. The letters of BIOES, BILOU and BMEWO are such only where the same
    # kind has a B- or I-, so that a label may be called "E-mail".
    kinds = {name[2:] for name in names if name.startswith(("B-", "I-"))}
    return [
        (name[0], name[2:])
        if name[1:2] == "-" and name[0] in BEGIN | INSIDE | LAST and name[2:] in kinds
        else ("", name)
        for name in names
    ]


def _words(
    text: str, offsets: Sequence[Offset], words: Sequence[int | None], scores: Array
) -> list[tuple[int, int, Array]]:
    """(start, end, scores of the first token) of every word, without special tokens."""
    spans: list[tuple[int, int, Array]] = []
    last: int | None = None
    for (start, end), word, row in zip(offsets, words, scores, strict=True):
        start, end = _trimmed(text, start, end)
        if word is None or start == end:
            continue  # special, or nothing but white space
        # Byte-level tokenizers split words before and after an accent that is a character.
        accent = start > 0 and any(map(_is_mark, text[start - 1 : start + 1]))
        if spans and (word == last or accent) and _goes_on(text, start, spans[-1][1]):
            spans[-1] = (spans[-1][0], max(end, spans[-1][1]), spans[-1][2])
        else:
            start, end = _trimmed(text, max(start, spans[-1][1] if spans else 0), end)
            if start < end:
                spans.append((start, end, row))
        last = word
    return spans


def _goes_on(text: str, start: int, end: int) -> bool:
    """Whether a token at `start` belongs to the word before it, which ends at `end`.

    Tokenizers that split at spaces alone call "Paris," one word, and a line of Chinese or Thai too.
    """
    if start < end:
        return True  # bytes of one character
    if start > end:
        return False
    before, after = text[end - 1], text[start]
    if JOINER in (before, after) or _is_mark(after):
        return True
    letters = all(unicodedata.category(letter)[0] in "LMN" for letter in (before, after))
    return letters and not _is_unspaced(before) and not _is_unspaced(after)


def _is_mark(letter: str) -> bool:
    """Whether it is an accent or vowel sign on the letter before."""
    return unicodedata.category(letter)[0] == "M"


def _is_unspaced(letter: str) -> bool:
    """Whether its script is written without spaces between words."""
    if any(first <= ord(letter) <= last for first, last in UNSPACED):
        return True
    return unicodedata.east_asian_width(letter) in "WF"


def _trimmed(text: str, start: int, end: int) -> Offset:
    """Without the spaces that some tokenizers count to a token, with the accents they drop; empty where
    nothing is left."""
    piece = text[start:end]
    if not piece.strip():
        return start, start
    first = start + len(piece) - len(piece.lstrip())
    last = end - len(piece) + len(piece.rstrip())
    while first < last < len(text) and _is_mark(text[last]):
        last += 1
    return first, last


def best_answers(
    context: str,
    offsets: Sequence[Offset],
    logits: Array,
    none: Array,
    *,
    longest: int,
    top: int,
) -> list[Answer]:
    """The `top` likeliest spans of at most `longest` tokens, likeliest first, "no answer" among them.

    `logits` [tokens, 2] are those of start and end in `context`, `none` [2] those of "no answer". A
    score is the product of both probabilities.
    """
    every = np.concatenate([none[None], logits]).astype(np.float64)
    shifted = every - every.max(0)
    # Logarithms of the chances to start and to end at each token, or at "no answer".
    chances = shifted - np.log(np.exp(shifted).sum(0))
    no_answer = float(np.exp(chances[0].sum()))
    places = [_trimmed(context, *offset) for offset in offsets]
    blank = np.array([start >= end for start, end in places], bool)
    start, end = np.where(blank[:, None], -np.inf, chances[1:]).T
    candidates: list[tuple[float, Offset]] = [(float(chances[0].sum()), (0, 0))]
    most = BYTES * top  # bytes of one character are tokens with the same place
    for length in range(min(longest, len(start))):
        joint = start[: len(start) - length] + end[length:]
        for index in places_of_greatest(joint[None], most)[0].tolist():
            first, last = places[index][0], places[index + length][1]
            if first < last:
                candidates.append((float(joint[index]), (first, last)))
    answers: dict[Offset, Answer] = {}
    for chance, (first, last) in sorted(candidates, key=lambda item: (-item[0], item[1])):
        if chance == -np.inf or len(answers) == top:
            break
        score = float(np.exp(chance))
        answer = Answer(context[first:last], first, last, score, no_answer)
        answers.setdefault((first, last), answer)
    return list(answers.values())
