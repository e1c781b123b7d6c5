"""What was said in a sound, with its times; and how frames of letters become words. Knows no graph."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

BLANK, SPACE = "", " "  # names of letters: of none, and of what stands between words
TIDIED = (  # what a text has instead where its spaces are tidied, in this order
    *((f" {mark}", mark) for mark in ".?!,"),
    (" ' ", "'"),
    *((f" {end}", end) for end in ("n't", "'m", "'s", "'ve", "'re")),
)


@dataclass(frozen=True)
class Segment:
    """A piece of a transcript, from `start` to `end` in seconds; `tokens` are its ids as written."""

    start: float
    end: float
    text: str
    tokens: list[int]


@dataclass(frozen=True)
class Transcript:
    """What was said in `duration` seconds; `language` is its code, None for a model of one language."""

    text: str
    language: str | None
    duration: float
    segments: list[Segment]


@dataclass(frozen=True)
class Letter:
    """An id that frames from `start` to before `end` have in common, and its name."""

    start: int
    end: int
    token: int
    name: str


def letters(ids: Sequence[int], names: Sequence[str]) -> list[Letter]:
    """Letters of frames with these ids (Graves et al., 2006): of equal neighbours one, less blanks."""
    found, start = [], 0
    for name, run in itertools.groupby(ids, key=lambda token: names[token]):
        tokens = list(run)
        if name != BLANK:
            found.append(Letter(start, start + len(tokens), tokens[0], name))
        start += len(tokens)
    return found


def text_of(found: Sequence[Letter], tidied: bool) -> str:
    """The text of letters."""
    text = "".join(letter.name for letter in found).strip()
    for pair in TIDIED if tidied else ():
        text = text.replace(*pair)
    return text


def words(found: Sequence[Letter], seconds: float) -> Iterator[Segment]:
    """The words of letters whose frames are so many `seconds` apart."""
    for space, run in itertools.groupby(found, key=lambda letter: letter.name == SPACE):
        if not space:
            word = list(run)
            start, end = (round(frame * seconds, 2) for frame in (word[0].start, word[-1].end))
            text = "".join(letter.name for letter in word)
            yield Segment(start, end, text, [letter.token for letter in word])
