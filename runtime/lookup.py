"""Prompt lookup (Saxena, 2023): read several ids a step where the text repeats what it knows.

The last ids are looked up in the prompt and in the text itself. What followed them there is a draft,
to be read along with the next id in one run. Knows no text and no choosing.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from satchel.runtime.drafter import Drafter, cost_along

SIZES = (3, 1)  # of the sequences that are looked up, the longest that is found counts
LONGEST = 16  # ids alike before a place: more tell no more
# How often the id at a place is right, by the power of two of how many ids before it are alike: a
# first guess, corrected by each id of the text, whether it was in a draft or not.
CHANCES = (0.1, 0.2, 0.5, 0.7, 0.9)
MEMORY = 16  # ids after which a chance has forgotten most of what was


class Lookup(Drafter):
    """What a text may go on with, from `known` ids (a prompt or a source) and from itself.

    An id costs the same however long the text is.
    """

    name = "looked_up"

    def __init__(self, known: Sequence[int]) -> None:
        self.ids = list(known)
        self.behind = {size: _behind(self.ids, size) for size in SIZES}
        self.chances = list(CHANCES)
        self.place = 0  # of the id that is expected next
        self.alike = 0  # how many ids before that place are those at the end; 0: none is expected

    def add(self, token: int) -> None:
        right = self.alike > 0 and self.ids[self.place] == token
        if self.alike:
            kind = _kind(self.alike)
            self.chances[kind] += (right - self.chances[kind]) / MEMORY
        self.ids.append(token)
        if right:
            self.place, self.alike = self.place + 1, self.alike + 1
        else:
            self._find()
        for size, behind in self.behind.items():
            behind[tuple(self.ids[-size:])] = len(self.ids)

    def draft(self, most: int, ends: Collection[int] = ()) -> list[int]:
        drafted: list[int] = []
        chance, cost = 1.0, cost_along(len(self.ids))
        while self.alike and len(drafted) < most:
            place = self.place + len(drafted)
            token = self.ids[place] if place < len(self.ids) else drafted[place - len(self.ids)]
            chance *= self.chances[_kind(self.alike + len(drafted))]
            if chance < cost or token in ends:  # that all up to here are right
                break
            drafted.append(token)
        return drafted

    def _find(self) -> None:
        """Look up the last ids."""
        self.alike = 0
        for size, behind in self.behind.items():
            place = behind.get(tuple(self.ids[-size:]))
            if place is not None:
                self.place, self.alike = place, self._alike(place)
                return

    def _alike(self, place: int) -> int:
        ids, length = self.ids, 0
        while length < min(place, LONGEST) and ids[place - 1 - length] == ids[-1 - length]:
            length += 1
        return length


def _behind(ids: Sequence[int], size: int) -> dict[tuple[int, ...], int]:
    """The place behind the last occurrence of each sequence of some size."""
    sequences = zip(*(ids[start:] for start in range(size)), strict=False)
    return {sequence: place for place, sequence in enumerate(sequences, size)}


def _kind(alike: int) -> int:
    return min(alike, LONGEST).bit_length() - 1
