"""A text and the labels that are looked for in it become the inputs of one graph, and its scores spans.

Knows no graph.
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from tokenizers import Encoding, Tokenizer

from satchel.runtime.encoder_texts import MOST_TOKENS
from satchel.runtime.errors import UsageError, shown
from satchel.runtime.manifest import LABELS, WORDS, Entities
from satchel.runtime.scores import activated
from satchel.runtime.spans import Span
from satchel.runtime.text import tokenizing

WORD = re.compile(r"\w+(?:[-_]\w+)*|\S")
Ids = NDArray[np.int64]
Array = NDArray[np.float32]


@dataclass(frozen=True)
class SearchedText:
    """A text with labels, as the graph reads them, and where its words lie in the text."""

    inputs: dict[str, Ids]
    words: list[tuple[int, int]]


@dataclass(frozen=True)
class EntityTexts:
    """How a bundle's texts are read: `limit` tokens with the labels before them."""

    tokenizer: Tokenizer
    told: Entities
    limit: int

    def asked(self, text: str, labels: Sequence[str]) -> SearchedText | None:
        """None where the text has no words; what is too long is cut, with a warning."""
        lead = [part for label in labels for part in (self.told.mark, label)]
        lead.append(self.told.separator)
        with tokenizing(text, MOST_TOKENS):
            places = [match.span() for match in WORD.finditer(text)]
        count = min(len(places), self.told.most_words)
        encoding = self._encoded(text, lead, places[:count])
        if len(encoding.ids) > self.limit:
            count = self._fitting(encoding, len(lead))
            encoding = self._encoded(text, lead, places[:count])
        if count < len(places):
            warnings.warn(
                f"a text of {len(places)} words is cut to {count}", UserWarning, stacklevel=4
            )
        tokens = encoding.tokens
        if tokens.count(self.told.mark) != len(labels):
            raise UsageError(f"a label holds {shown(self.told.mark)}, which stands before labels")
        first: dict[int, int] = {}
        for place, number in enumerate(encoding.word_ids):
            if number is not None:
                first.setdefault(number, place)
        # A word may have no token: of it nothing is known.
        kept = [number for number in range(count) if len(lead) + number in first]
        if not kept:
            return None
        behind = 0 if self.told.marked else 1
        inputs = {
            "input_ids": encoding.ids,
            WORDS: [first[len(lead) + number] for number in kept],
            LABELS: [first[2 * number] + behind for number in range(len(labels))],
        }
        rows = {name: np.array([values], np.int64) for name, values in inputs.items()}
        return SearchedText(rows, [places[number] for number in kept])

    def _encoded(self, text: str, lead: list[str], places: Sequence[tuple[int, int]]) -> Encoding:
        words = [text[start:end] for start, end in places]
        for label in lead:
            with tokenizing(label, MOST_TOKENS):
                pass
        with tokenizing(text, MOST_TOKENS):
            return self.tokenizer.encode(lead + words, is_pretokenized=True)

    def _fitting(self, encoding: Encoding, lead: int) -> int:
        """How many words of a text that is too long can be read."""
        surplus = len(encoding.ids) - self.limit
        numbers = [number for number in encoding.word_ids if number is not None]
        count = numbers[-surplus] - lead if surplus <= len(numbers) else 0
        if count < 1:
            raise UsageError(
                f"the labels leave no room for a text: the model reads {self.limit} tokens"
            )
        return count


@dataclass(frozen=True)
class Limits:
    """Which spans are found: those likelier than `threshold`. Without `flat` a span may lie within
    another; with `multi_label` one may have several labels."""

    threshold: float
    flat: bool
    multi_label: bool

    def excludes(self, one: tuple[int, int], other: tuple[int, int]) -> bool:
        """Whether a span that was chosen leaves no room for another."""
        if one == other:
            return not self.multi_label
        if one[1] < other[0] or other[1] < one[0]:
            return False
        within = (one[0] <= other[0] and other[1] <= one[1]) or (
            other[0] <= one[0] and one[1] <= other[1]
        )
        return self.flat or not within


def found(
    text: str,
    words: Sequence[tuple[int, int]],
    logits: Array,
    labels: Sequence[str],
    limits: Limits,
) -> list[Span]:
    """Spans by their places; of those that exclude each other the likeliest.

    `logits` are [words, labels, more words].
    """
    chances = activated(logits, "sigmoid").transpose(0, 2, 1)
    firsts, more, kinds = np.nonzero(chances > np.float32(limits.threshold))
    scores = chances[firsts, more, kinds]
    kept: list[tuple[tuple[int, int], int, float]] = []
    for place in np.argsort(-scores, kind="stable").tolist():
        span = int(firsts[place]), int(firsts[place] + more[place])
        if span[1] < len(words) and not any(limits.excludes(one, span) for one, _, _ in kept):
            kept.append((span, int(kinds[place]), float(scores[place])))
    spans = []
    for (first, last), kind, score in sorted(kept, key=lambda one: one[0][0]):
        start, end = words[first][0], words[last][1]
        spans.append(Span(labels[kind], text[start:end], start, end, score))
    return spans
