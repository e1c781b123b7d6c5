"""Scores of tokens become spans of the original text. Knows no model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
Offset = tuple[int, int]  # first and one past the last character of a token


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
    text: str, offsets: Sequence[Offset], scores: Array, names: Sequence[str]
) -> list[Span]:
    """Spans from per-token probabilities [tokens, labels].

    B- and I- prefixes are merged: a span goes on while the next token is I- of the same kind (or,
    without prefixes, has the same label). Tokens of a word follow its first. "O" is no span.
    """
    spans: list[tuple[str, int, int, list[float]]] = []
    previous = "O"
    for (start, end), row in zip(offsets, scores, strict=True):
        if start == end:
            continue  # a special token
        best = int(row.argmax())
        name, score = names[best], float(row[best])
        prefix, _, kind = name.rpartition("-") if name[:2] in ("B-", "I-") else ("", "", name)
        inside_word = (
            bool(spans) and spans[-1][2] == start and start > 0 and text[start - 1].isalnum()
        )
        goes_on = spans and previous == kind and spans[-1][0] == kind and prefix != "B"
        if spans and previous != "O" and inside_word and text[start].isalnum():
            goes_on, kind = True, spans[-1][0]
        if goes_on:
            label, first, _, so_far = spans[-1]
            spans[-1] = (label, first, end, [*so_far, score])
        elif kind != "O":
            spans.append((kind, start, end, [score]))
        previous = kind
    return [
        Span(label, text[start:end], start, end, float(np.mean(scores)))
        for label, start, end, scores in spans
    ]


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
    joint = np.triu(np.outer(start, end)) - np.triu(np.outer(start, end), longest)
    none = float(joint[0, 0])
    joint[0, :], joint[:, 0] = 0, 0
    first, last = np.unravel_index(joint.argmax(), joint.shape)
    score = float(joint[first, last])
    if none >= score:
        return Answer("", 0, 0, none)
    begin, finish = offsets[first][0], offsets[last][1]
    return Answer(context[begin:finish], begin, finish, score)
