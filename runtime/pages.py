"""Words with boxes on a page become the inputs of one graph, and its scores labels of words. Knows no
graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from satchel.runtime.encoder_session import EncoderSession
from satchel.runtime.encoder_texts import MOST_TOKENS, Preparation
from satchel.runtime.errors import LimitError, UsageError, shown
from satchel.runtime.items import listed
from satchel.runtime.manifest import BOXES, FARTHEST_SIDE, NOWHERE
from satchel.runtime.scores import Classification, activated, classified
from satchel.runtime.task_model import TaskModel, for_its_task
from satchel.runtime.text import tokenizing

Array = NDArray[np.float32]
Box = tuple[int, int, int, int]


@dataclass(frozen=True)
class LabelledWord:
    """A word of a page with its box, its label, and how sure that is within 0..1."""

    word: str
    label: str
    score: float
    box: Box


@dataclass(frozen=True)
class Page:
    """A page as a graph reads it: ids [1, length] and boxes [1, length, 4], int64; and the place of each
    word's first token."""

    inputs: dict[str, NDArray[np.int64]]
    firsts: list[int]


class ReadsPages(TaskModel):
    """The methods of models that read words with boxes on a page.

    A box is left, top, right and bottom in thousandths of the page's width and height. UsageError names
    the word that is wrong by its number, from 1; LimitError is of a page that is too long.
    """

    graphs: Mapping[str, EncoderSession]
    preparation: Preparation | None

    @for_its_task
    def label_words(
        self, words: Sequence[str], boxes: Sequence[Sequence[int]]
    ) -> list[LabelledWord]:
        """Each word with the label of its first token, in the order of `words`."""
        assert self.preparation is not None and self.manifest.labels is not None
        placed = checked_boxes(words, boxes)
        page = page_of(self.preparation, words, placed)
        scores = activated(self.graphs["encoder"](page.inputs)[0], self.manifest.labels.scores)
        labelled = []
        for word, box, first in zip(words, placed, page.firsts, strict=True):
            best = int(scores[first].argmax())
            label = self.manifest.labels.names[best]
            labelled.append(LabelledWord(word, label, float(scores[first, best]), box))
        return labelled

    @for_its_task
    def classify_page(self, words: Sequence[str], boxes: Sequence[Sequence[int]]) -> Classification:
        """The Classification of a page."""
        assert self.manifest.labels is not None
        return classified(self._answer(words, boxes), self.manifest.labels)

    @for_its_task
    def embed_page(self, words: Sequence[str], boxes: Sequence[Sequence[int]]) -> Array:
        """float32 [dim]: the vector of a page."""
        return self._answer(words, boxes)

    @for_its_task
    def page_states(self, words: Sequence[str], boxes: Sequence[Sequence[int]]) -> Array:
        """float32 [length, hidden]: the last layer's states of a page, special tokens included."""
        return self._answer(words, boxes, "last_hidden_state")

    def _answer(self, words: Any, boxes: Any, output: str | None = None) -> Array:
        assert self.preparation is not None
        page = page_of(self.preparation, words, checked_boxes(words, boxes))
        answer: Array = self.graphs["encoder"](page.inputs, output)[0]
        return answer


def checked_boxes(words: Any, boxes: Any) -> list[Box]:
    """A box for each word; UsageError names the first word without a good one."""
    if isinstance(words, str) or isinstance(boxes, str):
        raise UsageError("expected a list of words and a list of their boxes, got a text")
    words, boxes = listed("words", words), listed("boxes", boxes)
    if len(words) != len(boxes):
        lacking = "box" if len(boxes) < len(words) else "word"
        raise UsageError(
            f"{len(words)} words and {len(boxes)} boxes: number {min(len(words), len(boxes)) + 1} "
            f"has no {lacking}"
        )
    return [_checked(number, box) for number, box in enumerate(boxes, 1)]


def _checked(number: int, box: Any) -> Box:
    sides = box.tolist() if isinstance(box, np.ndarray) else box
    whole = isinstance(sides, list | tuple) and len(sides) == 4
    if not whole or any(isinstance(x, bool) or not isinstance(x, int | np.integer) for x in sides):
        raise UsageError(
            f"the box of word {number} is {shown(box)}; expected four whole numbers: left, top, right, "
            "bottom"
        )
    left, top, right, bottom = map(int, sides)
    if not (0 <= left <= right <= FARTHEST_SIDE and 0 <= top <= bottom <= FARTHEST_SIDE):
        raise UsageError(
            f"the box of word {number} is {shown(box)}; expected left <= right and top <= bottom, in "
            f"0..{FARTHEST_SIDE} of the page's width and height"
        )
    return left, top, right, bottom


def page_of(preparation: Preparation, words: Sequence[str], boxes: Sequence[Box]) -> Page:
    """Words, each cut into tokens by itself, with its box for each of them."""
    for number, word in enumerate(words, 1):
        try:
            with tokenizing(word, MOST_TOKENS):
                pass
        except UsageError as error:
            raise UsageError(f"word {number}: {error}", error.code) from error
    with tokenizing("", MOST_TOKENS):
        encoding = preparation.tokenizer.encode(list(words), is_pretokenized=True)
    numbers = encoding.word_ids
    firsts = {number: place for place, number in reversed(list(enumerate(numbers)))}
    for number, word in enumerate(words):
        if number not in firsts:
            raise UsageError(f"word {number + 1} gives no tokens: {shown(word)}", "EMPTY_PROMPT")
    _check_length(preparation.limit, numbers)
    placed = [NOWHERE if number is None else boxes[number] for number in numbers]
    inputs = {"input_ids": encoding.ids, BOXES: placed}
    rows = {name: np.array([values], np.int64) for name, values in inputs.items()}
    return Page(rows, [firsts[number] for number in range(len(words))])


def _check_length(limit: int, numbers: Sequence[int | None]) -> None:
    """Refuse a page with more tokens than the model reads."""
    if len(numbers) <= limit:
        return
    behind = (
        len(numbers) - 1 - max(place for place, number in enumerate(numbers) if number is not None)
    )
    out = next((number for number in numbers[max(0, limit - behind) :] if number is not None), 0)
    raise LimitError(
        f"the page has {len(numbers)} tokens, the model reads {limit}: word {out + 1} and those behind "
        "it do not fit; give the page in parts",
        "PROMPT_TOO_LONG",
    )
