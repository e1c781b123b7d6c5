"""What a drafter is: it guesses how a text goes on, so that one run reads several ids. Knows no graph.

Whoever chooses from the logits behind each of them says which were right (`reading_ahead.py`).
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

# What an id read along costs of a step: the weights are read once for all ids, but each attends to
# the text on its own. At ATTENDING positions attention takes as long as the weights.
ALONG, ATTENDING = 0.15, 3000


class Drafter:
    """Drafts for one text, of which it is told every id. Subclasses say where drafts come from."""

    name = ""  # by which a row counts its ids

    def add(self, token: int) -> None:
        """Go on with the text's next id."""

    def draft(self, most: int, ends: Collection[int] = ()) -> list[int]:
        """The ids that are worth reading ahead, up to `most` of them and none of `ends`."""
        raise NotImplementedError

    def after(self, past: Round) -> None:
        """Learn from a round, before the next draft."""


@dataclass
class Round:
    """One run of the decoder: an id and the draft behind it, if any."""

    drafter: Drafter | None  # whose draft it was
    drafting: float  # seconds that all drafters took
    reading: float  # seconds of the run
    gained: int = 1  # ids that it told


def cost_along(length: int) -> float:
    """What an id read along with others costs, in steps, of a text of so many ids."""
    attention = length / ATTENDING
    return (ALONG + attention) / (1 + attention)
