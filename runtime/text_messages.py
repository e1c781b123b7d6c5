"""Texts of an encoder as messages of a chat: the fixed text around them, whose end is never cut off.

The manifest's `chat` of such a bundle. Knows no template: export has read the pieces off it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from satchel.runtime.errors import BundleError, UsageError, shown

KIND = "texts"
FIRST, SECOND = "0", "1 2 3 4"  # texts that share no token: what ends both alike is no text's
Encode = Callable[[str], list[int]]


@dataclass(frozen=True)
class TextMessages:
    """By the name of a prompt, "" being none, the pieces before, between and behind one text or two.

    With `trim` texts lose their outer spaces.
    """

    pieces: Mapping[str, Sequence[str]]
    trim: bool = False

    @classmethod
    def from_dict(cls, value: Any, prompts: Mapping[str, str], count: int) -> TextMessages:
        """Read the manifest's entry. Raises BundleError where it is not one for these prompts and so many
        texts that go together."""
        match value:
            case {"kind": "texts", "pieces": dict(pieces), "trim": bool(trim)}:
                named = {name for name, text in prompts.items() if text} | {""}
                if pieces.keys() == named and all(
                    _are(part, count + 1) for part in pieces.values()
                ):
                    return cls(pieces, trim)
        raise BundleError(f"the manifest's chat format is not one of texts: {shown(value)}")

    def to_dict(self) -> dict[str, Any]:
        """The manifest's entry: plain JSON."""
        pieces = {name: list(part) for name, part in self.pieces.items()}
        return {"kind": KIND, "pieces": pieces, "trim": self.trim}

    @property
    def count(self) -> int:
        """How many texts go together."""
        return len(self.pieces[""]) - 1

    def render(self, prompt: str, texts: Sequence[str]) -> str:
        """All messages as one text; `prompt` is a name with pieces of its own, or another."""
        if len(texts) != self.count:
            wanted = "a pair of texts" if self.count == 2 else "single texts"
            raise UsageError(f"this bundle reads {wanted}")
        first, *rest = self.pieces.get(prompt, self.pieces[""])
        shorn = [text.strip() if self.trim else text for text in texts]
        return first + "".join(text + piece for text, piece in zip(shorn, rest, strict=True))

    def ending(self, prompt: str, encode: Encode) -> list[int]:
        """The ids behind the last text, in this tokenizer."""
        first, second = (
            encode(self.render(prompt, [text] * self.count)) for text in (FIRST, SECOND)
        )
        count = 0
        while count < min(len(first), len(second)) and first[~count] == second[~count]:
            count += 1
        return first[len(first) - count :] if count < min(len(first), len(second)) else []


def _are(pieces: Any, count: int) -> bool:
    """Whether these are so many texts."""
    fits = isinstance(pieces, list) and len(pieces) == count
    return fits and all(isinstance(piece, str) for piece in pieces)
